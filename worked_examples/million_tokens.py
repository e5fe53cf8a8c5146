"""A million tokens: from a uniform start to clusters in dims 2 and 3, with the time and the memory that takes.

Tokens follow x_i' = P_{x_i} (1/N) sum_j exp(beta <x_i, x_j>) x_j from independent uniform starts. Every pair attracts
each other, 10^12 pairs, yet a velocity costs milliseconds: in dim 2 through equal cells of the circle, in dim 3 through
spherical harmonics. The table compares the degree that emerges first (amplitude A_k = 0.3) and its time with the law of
the race between the degrees, whose mean it gives: single runs scatter around it, and nonlinear terms make them 1 to 7 %
late. "error" is the largest distance of a token at the end from a run at a hundredth of the tolerance.

Reference: Bruno, Pasqualotto, Agazzi, arXiv 2410.23228, with 20,000 tokens in dim 2, fixed Euler steps and all pairs.

Run: python worked_examples/million_tokens.py [figure.png]     (3 minutes on two cores)
"""

import resource
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th

# Parameters: dim, beta, seed, end of the run
STATES = ((2, 5, 0, 0.6), (3, 6, 0, 0.45))
TOKENS, AMPLITUDE, TOLERANCE, SAVED = 1_000_000, 0.3, 1e-8, 31
NEIGHBOURS = 0.002  # angle that links the tokens of a cluster: the few still on their way are further apart
FIGURE = Path(__file__).with_suffix(".png")


def follow(dim, beta, seed, t_end, tokens):
    """The run, and its table row."""
    law = th.finite_tokens.selection_law(dim, beta, tokens, amplitude=AMPLITUDE)
    options = {"beta": beta, "t_end": t_end, "save_at": np.linspace(0, t_end, SAVED), "rng": seed}
    options |= {"rtol": TOLERANCE, "atol": 0, "estimate_error": True}
    run = nm.simulate(nm.uniform(tokens, dim, rng=seed), observe=[nm.HarmonicPower(8)], **options)
    degree, time = nm.runs.first_crossing(run.t, run.observables["harmonic_power"], AMPLITUDE)
    chosen = max(law.selection, key=law.selection.get)
    return run, {
        "dim": dim,
        "beta": beta,
        "likely degree": f"{chosen} ({law.selection[chosen]:.0%})",
        "first degree": degree,
        "mean time": f"{law.mean:.4f}",
        "time": f"{time:.4f}",
        "clusters": int(nm.cluster_labels(run.tokens, angle=NEIGHBOURS).max()) + 1,
        "field": run.parameters["method"],
        "evaluations": run.evaluations,
        "seconds": f"{run.seconds:.1f}",
        "error": f"{run.error:.1e}",
        "peak GB": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}",
    }


def draw(axes, run, row):
    """Amplitudes against time, and where the tokens are at the end."""
    nm.plot_power(run, ax=axes[0])
    axes[0].axvline(float(row["mean time"]), color="k", ls="--", lw=1)
    axes[0].set_title(f"dim {row['dim']}, β = {row['beta']}; dashed: mean time of the law")
    if row["dim"] == 2:
        nm.plot_density(run, ax=axes[1], bins=400)
        axes[1].set_yscale("log")
    else:
        x, y, z = run.tokens.T
        mass, longitude, height = np.histogram2d(np.arctan2(y, x), z, bins=(240, 120), range=((-np.pi, np.pi), (-1, 1)))
        picture = axes[1].pcolormesh(longitude, height, np.log10(np.maximum(mass.T, 1)), cmap="cividis")
        axes[1].figure.colorbar(picture, ax=axes[1], label="log10 of the tokens in a cell of equal area")
        axes[1].set(xlabel="longitude (rad)", ylabel="height z")
    axes[1].set_title(f"t = {run.t[-1]:g}")


@pictures.style()
def main(quick=False, figure=FIGURE):
    """Run both dims, print the table, draw the figure; returns the table."""
    fig, axes = plt.subplots(len(STATES), 2, figsize=(12, 7), layout="constrained")
    rows = []
    for state, pair in zip(STATES, axes, strict=True):
        run, row = follow(*state, TOKENS // 100 if quick else TOKENS)
        draw(pair, run, row)
        rows.append(row)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    table = th.Table(tuple(rows))
    print(table, f"figure in {figure}", sep="\n\n")
    return table


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
