"""When have 32 tokens gathered? The probability that all overlaps exceed 0.999 over time and beta, dims 8, 128, 1024.

Tokens start independent and uniform on the sphere and follow SA. In high dim they are nearly orthogonal, so that all
pairs have the same overlap g for ever, which reaches 0.999 at a time in closed form (Ei and E1): the curve. The colour
is the share of runs that have gathered by then: sharp and on the curve in dim 1024, late and wide in dim 8, where
clusters that are far apart hold for long when beta is large. The law extrapolates to infinite dim.

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
from gegenflow import pictures
from gegenflow import theory as th
from gegenflow.numerics.validation.ends import gathering_times

# Parameters
TOKENS, OVERLAP, T_END = 32, "0.999", 30.0
DIMS, BETAS, RUNS = (8, 128, 1024), np.round(np.linspace(0.1, 9, 90), 10), 20
FIGURE = Path(__file__).with_suffix(".png")


def gathered(beta, dim, runs):
    """Times at which runs have gathered, inf for not yet."""
    options = {"tokens": TOKENS, "overlap": float(OVERLAP), "runs": runs, "t_end": T_END}
    return gathering_times(dim, nm.Flow(beta=beta, model="sa"), rng=[dim, int(1000 * beta)], **options)


@pictures.style()
def main(quick=False, figure=FIGURE):
    """The three diagrams; returns the trial of the law and the table of medians."""
    betas, runs = (BETAS[::20], 4) if quick else (BETAS, RUNS)
    law = nm.validate("phase curve", tokens=TOKENS, overlap=OVERLAP, beta=[1, 3], runs=4 if quick else 12)
    curve = [float(th.synchronization.hitting_time(OVERLAP, TOKENS, str(b), model="sa", digits=8)) for b in betas]
    times, rows = np.linspace(0, T_END, 301), []
    fig, axes = plt.subplots(1, len(DIMS), figsize=(13, 4), layout="constrained", sharey=True)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        every = map if quick else partial(pool.map, chunksize=4)
        for ax, dim in zip(axes, DIMS, strict=True):
            found = np.array(list(every(partial(gathered, dim=dim, runs=runs), betas)))
            shares = (found <= times[:, None, None]).mean(axis=2)
            image = ax.pcolormesh(betas, times, shares, vmin=0, vmax=1, shading="nearest", cmap="cividis")
            ax.plot(betas, curve, "k-", lw=3.5)
            ax.plot(betas, curve, "w--", lw=1.5, label="equiangular tokens, exact")
            ax.set(title=f"dim {dim}", xlabel=pictures.BETA, ylim=(0, T_END))
            for beta, exact, one in zip(betas, curve, found, strict=True):
                rows.append(
                    {"dim": dim, "beta": beta, "equiangular": f"{exact:.4f}", "median": f"{np.median(one):.2f}"}
                )
    axes[0].set(ylabel=pictures.TIME)
    axes[0].legend(loc="upper left", facecolor="0.5", labelcolor="w")
    fig.colorbar(image, ax=axes, label=f"share of {runs} runs with all overlaps >= {OVERLAP}")
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    shown = th.Table(tuple(row for row in rows if quick or row["beta"] == int(row["beta"])))
    print(law, shown, f"figure in {figure}", sep="\n\n")
    return law, th.Table(tuple(rows))


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
