"""Noise that all tokens share: layers with random weights bring tokens together, in the mean, almost surely or not.

Top left: over activations and dimensions, where pairs contract in the mean (the rate (d-3)K(1) - (d-1)K'(1) is
positive), where only almost every pair meets (its Lyapunov exponent is negative), and where none does. Top right: the
mean logarithm of the distance of pairs in one case of each, through 200 layers a unit of time, with the slopes of the
theory for infinitely many. Bottom left: the mean of 1 - r in the same cases, below its bound in the first alone.
Bottom right: 300 tokens on the circle under one noise; they meet at one of the places of a path of its own.

Reference: arXiv 2604.26898 (Agazzi, Bruno, Mosig Garcia, Saviozzi, Romito) for the system; scaling and constants are
derived here.

Run: python worked_examples/common_noise.py [figure.png]     (30 s)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th

# Parameters
ACTIVATIONS = ("exp", "1+tanh", "sigmoid", "cos", "silu", "gelu", "relu", "leaky_relu", "linear", "sin", "tanh", "erf")
CASES = {"in the mean": ("1+tanh", 8), "almost surely": ("relu", 8), "not": ("tanh", 64)}
LAYERS, RUNS, SPAN = 200, 20_000, 1.5
FIGURE = Path(__file__).with_suffix(".png")


def draw_phases(ax, dims):
    """The kind of meeting, by activation and dimension, and how many of each."""
    kinds = np.zeros((len(ACTIVATIONS), len(dims)), dtype=int)
    for row, name in enumerate(ACTIVATIONS):
        for column, dim in enumerate(dims):
            mean = float(th.random_layers.contraction_rate(name, dim, digits=8)) > 0
            alone = float(th.random_layers.lyapunov_exponent(name, dim, digits=8)) < 0
            kinds[row, column] = 2 if mean else int(alone)
    edges = np.append(dims, dims[-1] * dims[-1] / dims[-2])
    shown = ax.pcolormesh(edges, np.arange(len(ACTIVATIONS) + 1), kinds, cmap=plt.get_cmap("cividis", 3), vmax=2)
    ax.set(xscale="log", xlabel="dim", title="do two tokens meet?", yticks=np.arange(len(ACTIVATIONS)) + 0.5)
    ax.set_yticklabels(ACTIVATIONS)
    bar = plt.colorbar(shown, ax=ax, ticks=[1 / 3, 1, 5 / 3])
    bar.ax.set_yticklabels(["not", "almost surely", "in the mean"], rotation=90, va="center")
    return kinds


def draw_distances(logs, means, runs):
    """Mean logarithms of distances, and means of 1 - r, of pairs from 0.1 apart on."""
    times = np.linspace(0, SPAN, 31)
    for number, (label, (name, dim)) in enumerate(CASES.items()):
        flow = nm.Flow(random_layers=nm.RandomLayers(name, layers=LAYERS))
        options = {"overlap": 0.995, "times": times, "runs": runs, "rng": number}
        distances = nm.systems.pair_distances(flow, dim, **options)
        text, style, mark = f"{name}, dim {dim}: {label}", f"C{number}", pictures.MARKERS[number]
        logs.plot(times, np.log(distances).mean(axis=0), style + mark, ms=3, label=text)
        slope = float(th.random_layers.lyapunov_exponent(name, dim))
        logs.plot(times, np.log(distances[:, 0]).mean() + slope * times, style + "--", lw=1)
        gaps = (distances**2).mean(axis=0) / 2
        means.semilogy(times, gaps, style + mark + "-", markevery=5, ms=4, label=text)
        rate = float(th.random_layers.contraction_rate(name, dim))
        if rate > 0:
            means.semilogy(times, gaps[0] * np.exp(-rate * times), style + "--", lw=1, label="its bound")
    logs.set(xlabel=pictures.TIME, ylabel="mean log |x - y|", title="pairs (dashed: Lyapunov exponent)", ylim=(-9, 1))
    means.set(xlabel=pictures.TIME, ylabel="mean of 1 - r", title="means of the gap")
    pictures.legend(logs)
    pictures.legend(means)


def draw_circle(ax, tokens, t_end):
    """Angles of tokens on the circle under one realisation."""
    flow = nm.Flow(random_layers=nm.RandomLayers("1+tanh", layers=LAYERS))
    times = np.linspace(0, t_end, 201)
    run = nm.simulate(nm.lattice(tokens), flow, t_end=t_end, save_at=times, track=tokens, rng=5)
    angles = np.arctan2(run.trajectories[:, :, 1], run.trajectories[:, :, 0])
    ax.plot(run.t, angles, "k,", alpha=0.6)
    ax.set(xlabel=pictures.TIME, ylabel=pictures.ANGLE, title=f"{tokens} tokens, 1+tanh, dim 2")
    return float(np.linalg.norm(run.tokens.mean(axis=0)))


@pictures.style()
def main(quick=False, figure=FIGURE):
    """The four panels; returns the table of critical dimensions, the kinds of meeting, and the trials."""
    dims = np.unique(np.geomspace(2, 100, 12 if quick else 40).round().astype(int))
    fig, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    kinds = draw_phases(axes[0, 0], dims)
    draw_distances(axes[0, 1], axes[1, 0], 200 if quick else RUNS)
    gathered = draw_circle(axes[1, 1], 60 if quick else 300, 6.0)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    rows = []
    for name in ("cos", "1+tanh", "tanh", "erf", "gelu", "silu"):
        found = {kind: th.random_layers.critical_dim(name, kind, digits=10) for kind in ("mean", "almost surely")}
        rows.append({"activation": name} | {kind: str(getattr(one, "value", one)) for kind, one in found.items()})
    table = th.Table(tuple(rows))
    trials = []
    for name, dim in CASES.values():
        sizes = {"runs": 4000} if quick else {}
        trials.append(nm.validate("Lyapunov exponent of random layers", activation=name, dim=dim, **sizes))
    trials.append(nm.validate("contraction in the mean", **({"runs": 20_000} if quick else {})))
    print("critical dimensions", table, *trials, f"mean of the tokens on the circle {gathered:.4f}", sep="\n\n")
    print(f"figure in {figure}")
    return table, kinds, trials


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
