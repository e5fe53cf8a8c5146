"""Many small runs, at once and one after the other."""

from statistics import median
from time import perf_counter, process_time

import numpy as np

from gegenflow.numerics.runs.batches.batch import simulate_batch
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.tokens.geometry import uniform

N, RUNS, LOOPED, ROUNDS = 50, 1000, 20, 3
BATCHES = [(dim, t_end, times) for dim in (2, 3, 8) for t_end in (0.3, 3.0) for times in (1, 101)]
"""Dim, end and number of saved times."""


def batch_row(dim: int, t_end: float, times: int) -> dict[str, str | float]:
    """Milliseconds a run at beta 5 and default tolerances, in a batch and in a loop over the first of its starts.

    Seconds of the processor give the ratio of one thread to one, on a busy machine, too.
    """
    starts = np.array([uniform(N, dim, rng=rng) for rng in np.random.default_rng(0).spawn(RUNS)])
    common = {"beta": 5.0, "t_end": t_end, "save_at": np.linspace(0, t_end, times) if times > 1 else [t_end]}
    ways = {
        "batch": (RUNS, lambda: simulate_batch(starts, **common)),
        "loop": (LOOPED, lambda: [simulate(start, **common) for start in starts[:LOOPED]]),
    }
    simulate_batch(starts[:1], **common)
    walls, works = {name: [] for name in ways}, {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (runs, follow) in ways.items():
            wall, work = perf_counter(), process_time()
            follow()
            walls[name].append(1e3 * (perf_counter() - wall) / runs)
            works[name].append(1e3 * (process_time() - work) / runs)
    wall, work = ({name: median(found) for name, found in seen.items()} for seen in (walls, works))
    row = {"case": f"{RUNS:,} runs, dim {dim}, N={N}, T={t_end:g}, {times} saved", "ms a run": wall["batch"]}
    row |= {"peer": "a loop over simulate", "peer ms": wall["loop"], "ratio": wall["loop"] / wall["batch"]}
    return row | {"ratio of a thread": work["loop"] / work["batch"]}
