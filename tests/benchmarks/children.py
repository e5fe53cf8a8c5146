"""What is measured in a process of its own: whole runs, and the memory that a call takes."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from time import perf_counter

import numpy as np
from machine import give_back_freed, reset_peak, resident

from gegenflow.numerics.fields.method import attention_sums
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.tokens.geometry import uniform

Row = dict[str, str | float]


def in_child(function: Callable[..., object], *arguments: object):
    """The result of a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peak_growth(n: int, dim: int, beta: float) -> float:
    """Megabytes that a call takes beside its arguments."""
    attention_sums(uniform(50_000, dim, rng=1), np.full(50_000, 1 / 50_000), Flow(beta=beta))
    tokens, weights = uniform(n, dim, rng=0), np.full(n, 1 / n)
    give_back_freed()
    reset_peak()
    before = resident("VmRSS")
    attention_sums(tokens, weights, Flow(beta=beta))
    return resident("VmHWM") - before


def one_run(n: int, dim: int, t_end: float, rtol: float) -> Row:
    """Seconds, evaluations, the peak of memory, and the largest error of a position.

    A short run goes before; the median is taken of three if they are short too.
    """
    tokens = uniform(n, dim, rng=0)
    follow(tokens, 1e-3, rtol)
    reset_peak()
    run, seconds = follow(tokens, t_end, rtol)
    if seconds < 2:
        seconds = median([seconds, *(follow(tokens, t_end, rtol)[1] for _ in range(2))])
    row: Row = {"case": f"dim {dim}, N={n:,}, T={t_end:g}, rtol {rtol:g}", "method": str(run.parameters["method"])}
    row |= {"s": seconds, "evaluations": run.evaluations, "peak MB": resident("VmHWM"), "status": str(run.status)}
    tighter, _ = follow(tokens, t_end, rtol / 10)
    return row | {"error": float(np.abs(run.tokens - tighter.tokens).max())}


def follow(tokens, t_end, rtol):
    """A run that saves the end only, and its seconds."""
    start = perf_counter()
    run = simulate(tokens, beta=5.0, t_end=t_end, rtol=rtol, atol=rtol / 100, save_at=[t_end])
    return run, perf_counter() - start
