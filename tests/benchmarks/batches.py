"""Many small runs, at once and one after the other."""

import numpy as np
from machine import alternate

from gegenflow.numerics.runs.batches.batch import simulate_batch
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.tokens.geometry import uniform

N, RUNS, LOOPED = 50, 1000, 20
BATCHES = [(dim, t_end, times) for dim in (2, 3, 8) for t_end in (0.3, 3.0) for times in (1, 101)]
"""Dim, end and number of saved times."""


def batch_row(dim: int, t_end: float, times: int) -> dict[str, str | float]:
    """Milliseconds a run at beta 5 and default tolerances, in a batch and in a loop over the first of its starts."""
    starts = np.array([uniform(N, dim, rng=rng) for rng in np.random.default_rng(0).spawn(RUNS)])
    common = {"beta": 5.0, "t_end": t_end, "save_at": np.linspace(0, t_end, times) if times > 1 else [t_end]}
    runs = {
        "batch": lambda: simulate_batch(starts, **common),
        "loop": lambda: [simulate(start, **common) for start in starts[:LOOPED]],
    }
    simulate_batch(starts[:1], **common)
    seconds = alternate(runs, budget=0)
    ours, theirs = 1e3 * seconds["batch"] / RUNS, 1e3 * seconds["loop"] / LOOPED
    case = f"{RUNS:,} runs, dim {dim}, N={N}, T={t_end:g}, {times} saved"
    return {"case": case, "ms a run": ours, "peer": "a loop over simulate", "peer ms": theirs, "ratio": theirs / ours}
