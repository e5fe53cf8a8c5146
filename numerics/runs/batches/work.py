"""What a thread works on that follows many small runs: arrays over all runs, and the lanes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.fields.compiled.vectors import LANES
from gegenflow.numerics.integrators.compiled_steps import A_EXTRA, EXTRA, STAGES, A, B
from gegenflow.numerics.tokens.geometry import Array

WAITING, RUNNING, ENDED, STUCK, SLOW = range(5)  # what has become of a run
SAVED, CAUSE = range(3, 5)  # of the counts, beside steps, evaluations and rejected steps
AGAIN, PACE = range(5, 7)  # of the clock: whether the last step was rejected, the time at the last look at the pace
TAKEN = STAGES + 1 + EXTRA  # stages in all
AT_ONCE = 4  # vectors; rows are filled up to a multiple of them with zeros
LINE, MOVED, TRIAL, UNIT, READY_LINE, READY_RATE = range(TAKEN, TAKEN + 6)  # rows beside the stages
STEP, FAULT, ACCEPTED, FIRST_STEP, DUE, FACTORS = range(6)  # rows of numbers of the lanes
RUN, READY, QUEUE = range(3)  # rows of whole ones: the runs of the lanes, those that come next, and of the queue
FOLLOWING, STRIDE, GONE = range(3)  # the run to come, from it to the one after, and how many of those next have gone
WEIGHTS = np.zeros((TAKEN, TAKEN))  # of the stages before, for each stage
WEIGHTS[:STAGES, :STAGES], WEIGHTS[STAGES, :STAGES], WEIGHTS[STAGES + 1 :] = A, B, A_EXTRA


class Work(NamedTuple):
    """What one thread works on: arrays over all runs, which threads share, and lanes of its own.

    ``tokens`` shape=[runs, n dim] are moved in place; ``times``, not decreasing, and ``end`` are in units of the clock,
    ``paths`` shape=[runs, times, n dim], ``counts`` shape=[runs, 5].  ``rows`` are flat, 22 of length ``row``, and
    ``sums`` n (dim + 1) of them; ``lanes`` and ``queue`` are rows of eight, ``clock`` is one row a lane.
    """

    tokens: Array
    weights: Array
    rate: float
    divided: bool
    tolerance: float
    end: float
    times: Array
    paths: Array
    reached: Array
    counts: NDArray[np.int64]
    row: int
    rows: Array
    sums: Array
    lanes: Array
    clock: Array
    queue: NDArray[np.int64]


def works(threads: int, tokens: Array, weights: Array, times: Array, **settings: Any) -> list[Work]:
    """What each of the threads works on: they take turns with the runs.

    ``tokens`` shape=[runs, n, dim] are moved in place; ``settings`` are the numbers of :class:`Work`.

    >>> settings = {"rate": -1.0, "divided": True, "tolerance": 1e-8, "end": 1.0}
    >>> both = works(2, np.zeros((9, 4, 2)), np.full(4, 0.25), np.empty(0), **settings)
    >>> both[0].tokens is both[1].tokens, both[1].queue[QUEUE, :GONE].tolist()
    (True, [1, 2])
    """
    runs, n, dim = tokens.shape
    size, vectors = n * dim, -(-n * dim // AT_ONCE) * AT_ONCE
    shared: dict[str, Any] = {
        "tokens": tokens.reshape(runs, size),
        "weights": weights,
        "times": times,
        "paths": np.empty((runs, len(times), size)),
        "reached": np.zeros(runs),
        "counts": np.zeros((runs, CAUSE + 1), dtype=np.int64),
    }
    return [
        Work(
            **shared,
            **settings,
            row=vectors * LANES,
            rows=_aligned((READY_RATE + 1) * vectors).reshape(-1),
            sums=_aligned(n * (dim + 1)).reshape(-1),
            lanes=_aligned(FACTORS + TAKEN),
            clock=_aligned(LANES),
            queue=np.array([[-1] * LANES, [-1] * LANES, [thread, threads, LANES, *[0] * (LANES - 3)]]),
        )
        for thread in range(threads)
    ]


def _aligned(rows: int) -> Array:
    # zeros, shape=[rows, 8], from the start of a line of the cache on
    memory = np.zeros((rows + 1) * LANES)
    start = (-memory.ctypes.data // 8) % LANES
    return memory[start : start + rows * LANES].reshape(rows, LANES)
