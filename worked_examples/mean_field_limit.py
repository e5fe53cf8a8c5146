"""N tokens on the circle approach the density they were drawn from like N^{-1/2}, with a constant that grows in time.

Tokens are drawn from the uniform density, or from f = 1 + 0.3 cos(theta), and follow USA at beta = 5, as does the
density: d_t f = -d_theta (f v). The distance W_2 between them, exact by quantiles, has a mean square D(t)/N. From the
uniform density it is D(t) = 2 sum_k e^{2 gamma_k t}/k^2 for N to infinity (left): pi^2/3 at first, and then growing
like e^{2 C t}, C = gamma_max. Few tokens saturate, as W_2 is bounded: at late times they lie below the law, which the
trial says (crosses). Right: the slope of log W_2 over log N, from N to 10 N, from both starts.

Reference: arXiv 2410.23228 for the model; the law is derived here.

Run: python worked_examples/mean_field_limit.py [figure.png]     (3 min); writes the checks to a .csv beside the figure
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th

# Parameters
TIMES, SLOPE_TIMES, STARTS = ("0", "0.04", "0.08", "0.12"), ("0", "0.04", "0.08"), (0.0, 0.3)
RUNS = {1000: 600, 10_000: 400}
FIGURE = Path(__file__).with_suffix(".png")


@pictures.style()
def main(quick=False, figure=FIGURE):
    """Both laws over time; returns their trials."""
    times = TIMES[:3] if quick else TIMES
    sizes = {1000: 250} if quick else RUNS
    distances = [
        nm.validate("mean-field distance", beta=5, time=times, tokens=n, runs=runs) for n, runs in sizes.items()
    ]
    options = {"tokens": 200, "runs": 120} if quick else {"tokens": 1000, "runs": 250}
    options["time"] = SLOPE_TIMES[:2] if quick else SLOPE_TIMES
    slopes = nm.validate("mean-field rate", beta=5, amplitude=STARTS, **options)

    fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    fine = np.linspace(0, float(times[-1]), 12 if quick else 60)
    curve = [float(th.finite_tokens.mean_field_distance(str(t), 5, digits=8)) for t in fine]
    axes[0].plot(fine, curve, "k-", label="law")
    for place, (n, report) in enumerate(zip(sizes, distances, strict=True)):
        at = [float(time) for time in times]
        nm.validation.plot_sweep(report.checks, at, ax=axes[0], label=f"N = {n:,}", rivals=not place)
    axes[0].set(title="uniform start", xlabel=pictures.TIME, ylabel="$N\\,W_2^2$", yscale="log")
    for place, amplitude in enumerate(STARTS):
        count = len(options["time"])
        checks = slopes.checks[place * count : (place + 1) * count]
        at = [float(time) for time in options["time"]]
        nm.validation.plot_sweep(checks, at, ax=axes[1], label=f"1 + {amplitude:g} cos", rivals=not amplitude)
    axes[1].set(title="slope of log $W_2$ over log N", xlabel=pictures.TIME, ylabel="power of N", ylim=(-1.1, 0))
    for ax in axes:
        pictures.legend(ax)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    rows = [row for report in (*distances, slopes) for row in report.to_rows()]
    figure.with_suffix(".csv").write_text(th.Table(tuple(rows)).to("csv") + "\n")
    print(*distances, slopes, f"figure in {figure}", sep="\n\n")
    return distances, slopes


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
