"""N tokens on the circle approach the density they were drawn from like N^{-1/2}, with a constant that grows in time.

Tokens are drawn from the uniform density and from f = 1 + 0.3 cos(theta), and follow USA at beta = 5, as does the
density: d_t f = -d_theta (f v). The distance W_2 between them, exact by quantiles, has a mean square D(t)/N. From the
uniform density it is D(t) = 2 sum_k e^{2 gamma_k t}/k^2 for N to infinity, pi^2/3 at first and then growing like
e^{2 C t}, C = gamma_max; few tokens saturate, as W_2 is bounded, so D is lower there. From the other density the growth
is fitted. A slope is that of log sqrt(mean W_2^2) over log N from 1000 on; errors come from independent runs.

Reference: arXiv 2410.23228 for the model; the law is derived here.

Run: python worked_examples/mean_field_limit.py [figure.png]     (2 min); writes the table to a .csv beside the figure
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import theory as th

# Parameters
BETA, TIMES = 5, (0.0, 0.04, 0.08, 0.12, 0.16)
COUNTS, RUNS = (100, 1000, 10_000, 100_000), 48
STARTS = {"uniform": lambda angle: np.ones_like(angle), "1 + 0.3 cos": lambda angle: 1 + 0.3 * np.cos(angle)}
FINEST = 2**14
FIGURE = Path(__file__).with_suffix(".png")


class Distance:
    """W_2 between tokens and the density at the same time, as an observable of a run."""

    name = "distance"

    def __init__(self, densities):
        self.left = iter(densities)

    def __call__(self, tokens, weights, flow):
        return nm.wasserstein_distance(tokens, next(self.left))


def draw_tokens(density, n, stream):
    """Independent tokens of the density: quantiles of uniform labels."""
    angles = np.interp(stream.random(n), np.arange(FINEST + 1) / FINEST, [*nm.quantiles(density, FINEST), 2 * np.pi])
    return np.column_stack([np.cos(angles), np.sin(angles)])


def squares(start, counts, runs, seed):
    """N W_2^2 at the times, shape=[counts, runs, times]."""
    density = nm.circle_density(start)
    densities = nm.solve_density(density, beta=BETA, t_end=TIMES[-1], save_at=TIMES).densities
    streams = iter(np.random.default_rng(seed).spawn(len(counts) * runs))
    found = np.empty((len(counts), runs, len(TIMES)))
    for i, n in enumerate(counts):
        for j in range(runs):
            run = nm.simulate(
                draw_tokens(density, n, next(streams)),
                beta=BETA,
                t_end=TIMES[-1],
                save_at=TIMES,
                rtol=1e-6,
                observe=[Distance(densities)],
            )
            found[i, j] = n * run.observables["distance"] ** 2
    return found


def slope(counts, found):
    """Slope of log W_2 over log N by least squares, all but the smallest N, and its standard error."""
    mean = found[1:].mean(axis=1)
    relative = found[1:].std(axis=1, ddof=1) / np.sqrt(found.shape[1]) / mean
    place = np.log(counts[1:]) - np.log(counts[1:]).mean()
    lever = place / (2 * (place @ place))
    return lever @ np.log(mean) - 0.5, np.sqrt(lever**2 @ relative**2)


def growth(found):
    """C of D(t) ~ e^{2 C t} over the second half of the times, and its standard error over runs."""
    mean, times = found.mean(axis=0), np.array(TIMES)
    late = times >= times[-1] / 2
    leave = [
        np.polyfit(times[late], np.log(np.delete(found, j, axis=0).mean(axis=0)[late]), 1)[0] for j in range(len(found))
    ]
    error = np.sqrt((len(found) - 1) * np.var(leave))
    return np.polyfit(times[late], np.log(mean[late]), 1)[0] / 2, error / 2


def main(quick=False, figure=FIGURE):
    """Both starts; returns the table that it prints."""
    counts, runs = (COUNTS[:3], 24) if quick else (COUNTS, RUNS)
    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    rows = []
    for seed, (ax, (name, start)) in enumerate(zip(axes, STARTS.items(), strict=True)):
        found = squares(start, counts, runs, seed)
        slopes, slope_errors = slope(counts, found)
        rate, rate_error = growth(found[-1])
        for i, n in enumerate(counts):
            ax.errorbar(
                TIMES,
                found[i].mean(axis=0),
                3 * found[i].std(axis=0, ddof=1) / runs**0.5,
                fmt="o",
                mfc="none",
                capsize=3,
                label=f"N = {n:,}",
            )
        law = [float(th.finite_tokens.mean_field_distance(str(t), BETA)) for t in TIMES]
        if name == "uniform":
            fine = np.linspace(0, TIMES[-1], 60)
            ax.plot(
                fine,
                [float(th.finite_tokens.mean_field_distance(str(t), BETA, digits=8)) for t in fine],
                "k-",
                label="law",
            )
        ax.set(title=f"{name}: C = {rate:.1f} +- {rate_error:.1f}", xlabel="time", ylabel="N W_2^2", yscale="log")
        ax.legend(fontsize=8)
        for i, t in enumerate(TIMES):
            rows.append(
                {
                    "start": name,
                    "t": t,
                    "slope": f"{slopes[i]:.4f}",
                    "its error": f"{slope_errors[i]:.4f}",
                    "N W_2^2": f"{found[-1, :, i].mean():.4g}",
                    "error bar": f"{found[-1, :, i].std(ddof=1) / runs**0.5:.2g}",
                    "law": f"{law[i]:.4g}" if name == "uniform" else "-",
                    "C": f"{rate:.2f} +- {rate_error:.2f}",
                }
            )
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    table = th.Table(tuple(rows))
    figure.with_suffix(".csv").write_text(table.to("csv") + "\n")
    print(table, f"gamma_max {th.growth_rate(3, 2, BETA, digits=6)}", f"figure in {figure}", sep="\n\n")
    return table


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
