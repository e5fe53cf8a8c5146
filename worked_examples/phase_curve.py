"""When have 32 tokens gathered? The probability that all overlaps exceed 0.999 over time and beta, dims 8, 128, 1024.

Tokens start independent and uniform on the sphere and follow SA. In high dim they are nearly orthogonal, so that all
pairs have the same overlap g for ever, which reaches 0.999 at a time in closed form (Ei and E1): the curve. The colour
is the share of runs that have gathered by then: sharp and on the curve in dim 1024, late and wide in dim 8, where
clusters that are far apart hold for long when beta is large.

Tokens move within the space that they span, so 1024 dims cost no more than 32.

Reference: arXiv 2312.10794 (Geshkovski, Letrouit, Polyanskiy, Rigollet), whose figure this is.

Run: python worked_examples/phase_curve.py [figure.png]     (5 min)
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each process has one core to itself

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import theory as th

# Parameters
TOKENS, OVERLAP, T_END, TIMES = 32, 0.999, 30.0, 301
DIMS, BETAS, RUNS = (8, 128, 1024), np.round(np.linspace(0.1, 9, 90), 10), 20
PUBLISHED = {1: 5.2703, 3: 5.8976, 5: 9.5443, 7: 32.2331, 9: 178.7309}
FIGURE = Path(__file__).with_suffix(".png")


def gathered(beta, dim, runs):
    """The share of runs in which all overlaps exceed 0.999, at each time."""
    streams = np.random.default_rng([dim, int(1000 * beta)]).spawn(runs)
    times = np.linspace(0, T_END, TIMES)
    smallest = [
        nm.simulate(
            nm.uniform(TOKENS, dim, rng=stream),
            beta=beta,
            model="sa",
            t_end=T_END,
            save_at=times,
            rtol=1e-7,
            observe=[nm.systems.SmallestOverlap()],
        ).observables["smallest_overlap"]
        for stream in streams
    ]
    return (np.array(smallest) >= OVERLAP).mean(axis=0)


def median_time(share):
    """When half of the runs have gathered, nan if they have not."""
    return np.linspace(0, T_END, TIMES)[np.argmax(share >= 0.5)] if (share >= 0.5).any() else np.nan


def main(quick=False, figure=FIGURE):
    """The three diagrams; returns the table that it prints."""
    dims, betas, runs = (DIMS, BETAS[::20], 4) if quick else (DIMS, BETAS, RUNS)
    fig, axes = plt.subplots(1, len(dims), figsize=(13, 4), layout="constrained", sharey=True)
    curve = [float(th.synchronization.hitting_time(str(OVERLAP), TOKENS, str(b), model="sa", digits=8)) for b in betas]
    rows = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        every = map if quick else partial(pool.map, chunksize=4)
        for ax, dim in zip(axes, dims, strict=True):
            shares = np.array(list(every(partial(gathered, dim=dim, runs=runs), betas)))
            image = ax.pcolormesh(betas, np.linspace(0, T_END, TIMES), shares.T, vmin=0, vmax=1, shading="nearest")
            ax.plot(betas, curve, "w-", lw=1.5, label="equiangular tokens, exact")
            ax.set(title=f"dim {dim}", xlabel="beta", ylim=(0, T_END))
            for beta, share, exact in zip(betas, shares, curve, strict=True):
                published = PUBLISHED.get(float(beta))
                rows.append(
                    {
                        "dim": dim,
                        "beta": float(beta),
                        "equiangular": f"{exact:.4f}",
                        "published": f"{published:.4f}" if published else "-",
                        "median": f"{median_time(share):.1f}",
                        "gathered at 30": f"{share[-1]:.2f}",
                    }
                )
    axes[0].set(ylabel="time")
    axes[0].legend(loc="upper left", fontsize=8)
    fig.colorbar(image, ax=axes, label=f"share of {runs} runs with all overlaps >= {OVERLAP}")
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    shown = rows if quick else [row for row in rows if row["beta"] == int(row["beta"])]
    print(th.Table(tuple(shown)), f"figure in {figure}", sep="\n\n")
    return th.Table(tuple(rows))


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
