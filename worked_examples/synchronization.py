"""Tokens synchronise exponentially: W_2 to the Dirac at the exact rate, and how conservative the theorem is.

Left: W_2 to the limiting Dirac of tokens in a cap decays at the rate e^beta (USA) or 1 (SA), in every dim. Middle:
tokens of a density whose mean has the length R (von Mises-Fisher). The theorem promises W_2 <= C_0 e^{-t/100} at last
if beta is small; observed is the rate e^beta. Where beta is large, tokens split into clusters that do not meet by the
end of the run. Right: equiangular tokens under three normalisations: 1 - g falls like e^{-2t} (Post-LN), and like
t^{-2} where lengths grow (Pre-LN, Peri-LN), with constants that theory knows.

Reference: arXiv 2504.14697 (Chen, Lin, Polyanskiy, Rigollet); 2510.22026 for the normalisations.

Run: python worked_examples/synchronization.py [figure.png]     (60 s)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th
from gegenflow.numerics.validation.starts import concentrated

# Parameters
DIMS, BETAS = (2, 3, 8), ["0", "0.25", "0.5", "0.75", "1"]
STARTS = tuple((dim, beta, resultant) for dim in (2, 8) for beta in (0, 1, 4) for resultant in (0.1, 0.5))
SCHEMES = ("post", "pre", "peri")
LOOKS = {0: {"color": "C0", "ls": "-"}, 1: {"color": "C1", "ls": "--"}, 4: {"color": "C2", "ls": "-."}}
FIGURE = Path(__file__).with_suffix(".png")


def draw_rates(ax, report, betas):
    """The law, with its bars and rivals, over beta: USA, then SA."""
    for place, model in enumerate(("USA", "SA")):
        checks = [check for check in report.checks if model in check.name.split()]
        nm.validation.plot_sweep(checks, np.tile(betas, len(DIMS)).astype(float), ax=ax, label=model, rivals=not place)
    ax.set(
        yscale="log",
        xlabel=pictures.BETA,
        ylabel="rate of $W_2$ (1/time)",
        title=f"caps, dims {', '.join(map(str, DIMS))}",
    )
    pictures.legend(ax)


def draw_starts(ax, starts, tokens):
    """Distances to a Dirac over time in units of the rate, one run each."""
    for dim, beta, resultant in starts:
        rate = np.exp(beta)
        options = {
            "t_end": 40 / rate,
            "save_at": np.linspace(0, 40, 401) / rate,
            "observe": [nm.systems.DiracDistance()],
        }
        run = nm.simulate(concentrated(tokens, dim, resultant, rng=1), beta=beta, rtol=1e-9, atol=1e-11, **options)
        ax.plot(run.t * rate, run.observables["dirac_distance"], **LOOKS[beta], lw=0.5 + 2 * resultant)
    for beta, look in LOOKS.items():
        ax.plot([], [], **look, label=f"β = {beta}")
    ax.plot([20, 35], [0.3, 0.3 * np.exp(-15)], "k:", lw=2, label="rate $e^β$")
    ax.plot([0, 40], np.exp(-np.array([0, 40]) / 100), "k--", label="rate of the theorem at β = 0")
    ax.set(
        yscale="log",
        xlabel="time × $e^β$",
        ylabel="$W_2$ to a Dirac",
        title="densities, dims 2 and 8, USA",
        ylim=(1e-9, 4),
    )
    pictures.legend(ax)


def draw_schemes(ax, tokens, t_end):
    """Gaps of orthogonal tokens, one run a scheme, and the law with its constant (dashed)."""
    times = np.geomspace(0.1, t_end, 60)
    for scheme in SCHEMES:
        options = {"layer_norm": scheme, "t_end": t_end, "save_at": times, "observe": [nm.systems.SmallestOverlap()]}
        run = nm.simulate(np.eye(tokens), beta=1, model="sa", rtol=1e-11, atol=1e-14, **options)
        ax.loglog(times, 1 - run.observables["smallest_overlap"], lw=2, label=f"{scheme}-LN")
        law = th.synchronization.decay_law(scheme, tokens, 1, digits=8)
        decay = [float(law.constant) * float(law.decay.subs(dict.fromkeys(law.decay.free_symbols, t))) for t in times]
        ax.loglog(times, decay, "-", color="k", lw=0.7)
    ax.set(
        xlabel=pictures.TIME,
        ylabel="1 - g, g the smallest overlap",
        title="orthogonal start, β = 1, SA (thin: law)",
        ylim=(1e-8, 2),
    )
    pictures.legend(ax)


@pictures.style()
def main(quick=False, figure=FIGURE):
    """The three panels; returns the trials of the three laws."""
    betas = BETAS[::4] if quick else BETAS
    caps = nm.validate("distance to a Dirac", dims=DIMS, models=("usa", "sa"), beta=betas)
    starts = {"beta": [0, 1], "resultant": [0.5] if quick else [0.1, 0.5]}
    spread = nm.validate("synchronisation from a density", dims=DIMS, tokens=400 if quick else 1000, **starts)
    schemes = nm.validate("decay under layer normalisation", scheme=SCHEMES, tokens=8)
    fig, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    draw_rates(axes[0], caps, betas)
    draw_starts(axes[1], STARTS[::5] if quick else STARTS, 400 if quick else 2000)
    draw_schemes(axes[2], 8, 100.0 if quick else 300.0)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    print(caps, spread, schemes, f"figure in {figure}", sep="\n\n")
    return caps, spread, schemes


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
