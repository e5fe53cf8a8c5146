"""Meta-stable clustering: three clusters at beta = 5, four at beta = 7.

Tokens on the circle follow theta_i' = -(1/N) sum_j exp(beta cos(theta_i - theta_j)) sin(theta_i - theta_j) from
independent uniform angles. The harmonic of degree k grows at the rate k^2 I_k(beta)/beta; the fastest degree k_max
shapes the meta-stable state, whose clusters sit at the angles (2 pi j - arg mu_k)/k, mu_k = mean exp(-i k theta_i(0)).

The rates are measured over independent starts. Each picture shows one start of 20,000 tokens. Which degree wins in a
single run is random (over 300 seeds the linear theory, given the amplitudes at time 0, expects degree 3 first in 73 %
at beta = 5, degree 4 in 57 % at beta = 7), so the two seeds are of runs where it expects k_max by a clear margin.
At beta = 7 two of the four clusters have begun to attract each other by the end: the state is only meta-stable.

Reference: Bruno, Pasqualotto, Agazzi, arXiv 2410.23228. Their notebook plots k^2 I_k/(pi beta), shown as "published".

Run: python worked_examples/metastable_clustering.py [figure.png]     (10 s on two cores, longer the first time)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import theory as th

# Parameters: beta, seed, end of the run and time of the histogram (those of the reference)
STATES = ((5, 172, 0.6, 0.3), (7, 270, 0.1, 0.045))
TOKENS, RUNS = 20_000, 32
FIGURE = Path(__file__).with_suffix(".png")


def growth(beta, degrees, runs):
    """Table rows of predicted, published and measured rates."""
    predicted = [th.growth_rate(k, 2, beta, digits=10) for k in degrees]
    window = 0.5 / max(map(float, predicted))
    options = {"max_degree": len(degrees), "window": window, "tokens": TOKENS, "runs": runs}
    measured, errors = nm.uniform_rates(2, beta=beta, rng=0, **options)
    return [
        {
            "beta": beta,
            "degree": k,
            "predicted": rate.value,
            "published": f"{float(rate) / np.pi:.4f}",
            "measured": f"{value:.4f}",
            "error bar": f"{error:.4f}",
        }
        for k, rate, value, error in zip(degrees, predicted, measured, errors, strict=True)
    ]


def clusters(beta, start, run):
    """Table rows of predicted and measured cluster angles, and the degree."""
    degree = nm.prospects(start, beta)[0].degree
    phase = np.angle(nm.HarmonicAmplitude(degree)(start, run.weights, nm.Flow(beta=beta))[degree])
    predicted = np.sort((2 * np.pi * np.arange(degree) - phase) / degree % (2 * np.pi))
    labels = nm.cluster_labels(run.tokens)
    centres = np.arctan2(*nm.tokens.cluster_centres(run.tokens, labels).T[::-1]) % (2 * np.pi)
    rows = []
    for angle in predicted:
        nearest = centres[np.abs(np.angle(np.exp(1j * (centres - angle)))).argmin()]
        rows.append({"beta": beta, "cluster near": f"{angle:.4f}", "measured": f"{nearest:.4f}"})
    return rows, predicted


def draw(beta, axes, rates, predicted, run, middle):
    """One row of the figure: rates, trajectories with predicted angles, density at the meta-stable time."""
    degrees = [row["degree"] for row in rates]
    axes[0].plot(degrees, [float(row["predicted"]) for row in rates], "o", mfc="none", label="predicted")
    bars = [3 * float(row["error bar"]) for row in rates]
    axes[0].errorbar(degrees, [float(row["measured"]) for row in rates], bars, fmt="k.", label="measured, 3 bars")
    axes[0].set(xlabel="degree k", ylabel="growth rate", title=f"beta = {beta}")
    axes[0].legend()
    nm.plot_trajectories(run, ax=axes[1])
    nm.plot_density(middle, ax=axes[2])
    for angle in predicted:
        axes[1].axhline(np.angle(np.exp(1j * angle)), color="C3", ls="--", lw=1)
        axes[2].axvline(np.angle(np.exp(1j * angle)), color="C3", ls="--", lw=1)
    axes[1].set_title("trajectories, predicted angles dashed")
    axes[2].set_title(f"density at t = {middle.t[-1]:g}")


def main(quick=False, figure=FIGURE):
    """Run both states, print the tables, draw the figure; returns the two tables."""
    fig, axes = plt.subplots(len(STATES), 3, figsize=(12, 6.5), layout="constrained")
    all_rates, all_clusters = [], []
    for (beta, seed, t_end, t_middle), row in zip(STATES, axes, strict=True):
        k_max = th.selected_degree(beta, 2)
        rates = growth(beta, range(1, k_max + 3), 8 if quick else RUNS)
        start = nm.uniform(TOKENS, 2, rng=seed)
        middle = nm.simulate(start, beta=beta, t_end=t_middle, rng=seed)
        run = nm.simulate(start, beta=beta, t_end=t_end, rng=seed)
        angles, predicted = clusters(beta, start, run)
        draw(beta, row, rates, predicted, run, middle)
        all_rates += rates
        all_clusters += angles
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    rates, angles = th.Table(tuple(all_rates)), th.Table(tuple(all_clusters))
    print(rates, angles, f"figure in {figure}", sep="\n\n")
    return rates, angles


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
