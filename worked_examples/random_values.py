"""Layers with random value matrices: do two tokens end together or opposite, and when?

Left: the probability that softmax tokens end opposite, over the overlap with which they start, certified, for four
dimensions and betas; points are shares of 20,000 pairs through layers of fresh matrices, extrapolated in their number.
Middle: the beta above which they can at all, over the dimension. Right: overlaps of
eight pairs in dim 3 at beta 1, between the two ends that attract.

Reference: arXiv 2601.21942 (Fedorov, Sander, Elie, Marion, Lauriere) for the system; the law is derived here.

Run: python worked_examples/random_values.py [figure.png]     (2 min)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th

# Parameters
CASES = ((2, 1), (3, 1), (3, 2), (4, "1.5"))
STARTS = ("0", "0.3", "0.6")
FIGURE = Path(__file__).with_suffix(".png")


def draw_probabilities(ax, trials, count):
    """Certified curves of four cases, with the trials on them."""
    for number, (dim, beta) in enumerate(CASES):
        starts = np.linspace(-0.98, 0.98, count).round(4)
        curve = [float(th.random_layers.antipodal_probability(str(start), dim, beta, 8)) for start in starts]
        ax.plot(starts, curve, color=f"C{number}", ls=pictures.LINES[number], label=f"dim {dim}, β = {beta}")
    for number, start, check in trials:
        ax.errorbar(
            float(start), check.measured, check.error, fmt=f"C{number}{pictures.MARKERS[number]}", mfc="none", capsize=2
        )
    ax.set(xlabel="overlap at the start", ylabel="P(end opposite)", title="ends of two softmax tokens")
    pictures.legend(ax)


def draw_critical(ax, dims):
    """The critical beta, with its two sides."""
    betas = [float(th.random_layers.critical_beta_antipodal(int(dim), 8)) for dim in dims]
    ax.semilogx(dims, betas, "ko-", ms=3)
    ax.fill_between(dims, betas, 4, alpha=0.2, hatch="//", label="some end opposite")
    ax.fill_between(dims, 0, betas, alpha=0.2, label="all end together")
    ax.set(xlabel="dim", ylabel=pictures.BETA, title="critical β: arcosh(d - 2)/2", ylim=(0, 4))
    pictures.legend(ax)


def draw_paths(ax, span):
    """Overlaps along eight runs."""
    flow = nm.Flow(beta=1, model="sa", random_layers=nm.RandomLayers(layers=200, values=True))
    times = np.linspace(0, span, 400)
    distances = nm.systems.pair_distances(flow, 3, overlap=0.0, times=times, runs=8, rng=3)
    ax.plot(times, 1 - distances.T**2 / 2, "-", color=pictures.COLORS[0], lw=0.8)
    ax.set(xlabel=pictures.TIME, ylabel="overlap", title="eight pairs, dim 3, β = 1", ylim=(-1.05, 1.05))


@pictures.style()
def main(quick=False, figure=FIGURE):
    """The three panels; returns the table of predicted and measured probabilities, and the trials."""
    sizes = {"runs": 2000} if quick else {}
    found = []
    for number, (dim, beta) in enumerate(CASES):
        for start in STARTS[1:2] if quick else STARTS:
            report = nm.validate("ends under random values", dim=dim, beta=beta, overlap=start, **sizes)
            found.append((number, start, report.checks[0]))
    fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    draw_probabilities(axes[0], found, 13 if quick else 50)
    draw_critical(axes[1], np.unique(np.geomspace(3, 200, 20).round().astype(int)))
    draw_paths(axes[2], 12.0)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    rows = []
    for number, start, check in found:
        dim, beta = CASES[number]
        told = {"dim": dim, "beta": beta, "start": start, "predicted": f"{check.predicted:.6f}"}
        rows.append(told | {"measured": f"{check.measured:.4f} +- {check.error:.4f}"})
    table = th.Table(tuple(rows))
    print(table, f"figure in {figure}", sep="\n\n")
    return table, [check for _, _, check in found]


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
