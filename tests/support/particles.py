"""Runs of particles that several tests look at."""

import numpy as np

from gegenflow import numerics as nm


def energy_and_integrated_dissipation(dim, beta, model, seed, t_end):
    """E along a run of 30 tokens, and the integral of dE/dt over it by 12 Gauss-Legendre nodes."""
    node, weight = np.polynomial.legendre.leggauss(12)
    run = nm.simulate(
        nm.uniform(30, dim, rng=seed),
        beta=beta,
        model=model,
        t_end=t_end,
        observe=[nm.Energy(), nm.Dissipation()],
        save_at=[0.0, *(t_end * (node + 1) / 2), t_end],
        rtol=1e-11,
        atol=1e-12,
    )
    return run.observables["energy"], t_end / 2 * weight @ run.observables["dissipation"][1:-1]
