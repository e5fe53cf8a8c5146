"""The three phases of a density on the circle, from white noise to clusters, at beta = 5 and 7.

The density f (uniform = 1) solves d_t f = -d_theta (f v), v = W'*f, W = exp(beta cos)/beta. From white noise of
amplitude 1e-4 in the degrees 1 to 8, degree k = k_max grows fastest: the linear phase, which ends when the second order
in the amplitude, degree 2k, is a tenth of the first. While the third order is small too, f stays near the manifold of
period 2 pi/k: the quasi-linear phase. Its distance there, 1 - Q with Q the share of k, 2k, 3k, ... in the squares of
all amplitudes, falls until the linear modes give way, at best to about a^{2 (1 - gamma_2/gamma_k)} for noise of
amplitude a, gamma_2 the fastest rate without the period. Then mass concentrates: a series no longer holds f, and
quantiles follow it into clusters, at first k of them, unequal ones that merge later.

Dashed: growth of the linear modes; dotted lines in time: the predicted ends of the two phases. A start that has the
period keeps it, and ends in k equal clusters that contract at their exact rate.

Reference: arXiv 2410.23228 (Bruno, Pasqualotto, Agazzi).

Run: python worked_examples/three_phases.py [figure.png]     (30 s)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th
from gegenflow.numerics.validation.density_rates import phase_ends

# Parameters: (beta, end of the run, times of the pictures)
CASES = ((5, 0.9, (0.3, 0.46, 0.53)), (7, 0.14, (0.05, 0.075, 0.083)))
AMPLITUDE, DEGREES, QUANTILES, TOLERANCE = 1e-4, 8, 4000, 0.1
FIGURE = Path(__file__).with_suffix(".png")


def white_noise(amplitude, seed):
    """A density with independent normal amplitudes in the degrees 1 to 8."""
    return nm.densities.CircleDensity(amplitude * np.random.default_rng(seed).standard_normal(2 * DEGREES))


def linear_growth(start, rates, times):
    """Coefficients of the linear solution at the times, shape=[times, 2 DEGREES]."""
    return start.coefficients * np.exp(np.repeat(rates, 2) * times[:, None])


def draw(axes, case, spectral, late, linear, ends, degree):
    """Densities in the three phases, amplitudes of the degrees, and the distance from the periodic manifold."""
    beta, t_end, moments = case
    angle = np.linspace(0, 2 * np.pi, 1000)
    for time, density in zip(spectral.t, spectral.densities, strict=True):
        if np.isclose(time, moments).any():
            axes[0].plot(angle, density.values(angle), lw=1.6, label=f"t = {time:g}")
    places = np.sort(np.arctan2(late.tokens[:, 1], late.tokens[:, 0]) % (2 * np.pi))
    axes[0].stairs(*density_of(places), color="k", lw=0.7, label=f"t = {t_end:g}, quantiles")
    axes[0].set(yscale="log", ylim=(0.02, 300), xlabel=pictures.ANGLE, ylabel="density", title=f"β = {beta}")
    powers = spectral.observables["harmonic_power"], late.observables["harmonic_power"]
    for k in range(1, 7):
        look = pictures.of_degree(k, len(spectral.t))
        axes[1].plot(spectral.t, powers[0][:, k] ** 0.5, **look, label=f"k = {k}", lw=2 if k == degree else 1)
        axes[1].plot(late.t, powers[1][:, k] ** 0.5, color=look["color"], ls=":")
        small = np.linalg.norm(linear[:, 2 * k - 2 : 2 * k], axis=1) / 2**0.5
        axes[1].plot(spectral.t, small, color=look["color"], ls="-", lw=0.5)
    axes[1].set(yscale="log", ylim=(1e-5, 1.5), xlabel=pictures.TIME, ylabel="amplitude $A_k$; thin: linear")
    missing = [k for k in range(1, DEGREES + 1) if k % degree]
    squares = (linear**2).reshape(len(linear), -1, 2).sum(axis=2)
    axes[2].plot(spectral.t, 1 - spectral.observables["periodicity"], "C0", label="series")
    axes[2].plot(late.t, 1 - late.observables["periodicity"], "C0:", label="quantiles")
    share = squares[:, np.array(missing) - 1].sum(axis=1) / squares.sum(axis=1)
    axes[2].plot(spectral.t, share, "k--", lw=0.8, label="linear modes")
    axes[2].set(yscale="log", xlabel=pictures.TIME, ylabel="distance from period 2π/k, 1 - Q", ylim=(0.05, 1.1))
    for ax in axes[1:]:
        for end in ends:
            ax.axvline(end, color="0.5", ls=":", lw=1)


def density_of(places):
    """Histogram of the quantiles as a density, with its edges."""
    mass, edges = np.histogram(places, 200, (0, 2 * np.pi))
    return mass * 200 / len(places), edges


def follow(case, degree):
    """A run from white noise as a series, as far as it goes, and by quantiles to the end."""
    beta, t_end, moments = case
    options = {"beta": beta, "observe": [nm.HarmonicPower(6), nm.Periodicity(degree)]}
    start, times = white_noise(AMPLITUDE, 0), np.union1d(np.linspace(0, t_end, 201), moments)
    spectral = nm.solve_density(start, t_end=t_end, save_at=times, **options)
    late = nm.solve_quantiles(start, n=QUANTILES, t_end=t_end, save_at=times, **options)
    return start, spectral, late


@pictures.style()
def main(quick=False, figure=FIGURE):
    """Both temperatures; returns the table of the runs from noise, and the trials of the laws."""
    fig, axes = plt.subplots(len(CASES), 3, figsize=(14, 7.5), layout="constrained")
    rows, betas = [], [case[0] for case in CASES]
    trials = [
        nm.validate("ends of the linear", beta=betas, amplitude=[1e-3, 1e-4]),
        nm.validate("distance from the periodic manifold", beta=betas, runs=6 if quick else 12),
        *(nm.validate("intra-cluster", beta=beta, clusters=th.selected_degree(beta, 2)) for beta in betas),
    ]
    for case, row in zip(CASES, axes, strict=True):
        beta, degree = case[0], th.selected_degree(case[0], 2)
        rates = np.array([float(th.growth_rate(k, 2, beta, digits=17)) for k in range(1, DEGREES + 1)])
        start, spectral, late = follow(case, degree)
        linear = linear_growth(start, rates, spectral.t)
        size = 2**0.5 * np.linalg.norm(start.coefficients[2 * degree - 2 : 2 * degree])
        series = th.expansions.expansion(3, degree, 2, beta)
        ends = [series.end(order, TOLERANCE, size) for order in (1, 2)]
        found = phase_ends(spectral, linear, degree, TOLERANCE)
        clusters = nm.cluster_labels(late.tokens, angle=0.1, min_mass=0.01).max() + 1
        names = "end of the linear phase", "end of the quasi-linear phase", "clusters"
        for name, predicted, value in zip(names, (*ends, degree), (*found, clusters), strict=True):
            facts = {"beta": beta, "from noise": name, "predicted": f"{predicted:.5g}", "measured": f"{value:.5g}"}
            rows.append(facts)
        draw(row, case, spectral, late, linear, ends, degree)
    for ax in axes.T.flat:
        pictures.legend(ax)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    table = th.Table(tuple(rows))
    print(*trials, table, f"figure in {figure}", sep="\n\n")
    return table, trials


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
