"""Times and errors beside every other way to the same sums, measured in one run: ``python tests/benchmarks``.

Ours and its peers take turns in one process, and medians are compared; a peer that is not installed is named as such.
The last column of the fields is the least time that this machine allows, itself measured, over the time taken.  Errors
of fields are those of the SA velocity at a few tokens relative to the largest velocity, against extended precision.
``--quick`` takes less than a minute, the whole under ten.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from batches import BATCHES, batch_row
from children import Row, follow, in_child, one_run, peak_growth
from machine import SECONDS, Machine, alternate, measure_machine
from peers import PEERS, exact_sums, installed, lax_friedrichs

from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.densities.distribution import density_at_quantiles
from gegenflow.numerics.fields.method import attention_sums, prepare_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.runs.lagrangian import solve_quantiles
from gegenflow.numerics.runs.meanfield import solve_density
from gegenflow.numerics.tokens.geometry import normalize, uniform

MOST_NUMBERS_QUICK = 40_000  # components of all tokens
TARGETS = 10  # tokens at which a field is compared with the exact sums


@dataclass(frozen=True)
class Case:
    """Sums over n tokens, by a method of ours and by peers."""

    n: int
    dim: int
    beta: float
    peers: tuple[str, ...]
    bound: str
    method: str = "auto"
    dtype: str = "float64"

    def __str__(self) -> str:
        return f"dim {self.dim}, N={self.n:,}, beta {self.beta:g}, {self.dtype}"


SMALL = ("numpy",)
NUFFT = ("ducc0 nufft", "finufft")
CIRCLE = [
    Case(1000, 2, 5.0, (*SMALL, *NUFFT), "memory"),
    Case(20_000, 2, 5.0, NUFFT, "memory"),
    Case(100_000, 2, 5.0, NUFFT, "memory"),
    Case(1_000_000, 2, 5.0, NUFFT, "memory"),
]
SPHERE = [
    Case(2000, 3, 5.0, (*SMALL, "ducc0 sht"), "memory"),
    *(Case(n, 3, beta, ("ducc0 sht",), "memory") for n in (10_000, 1_000_000) for beta in (5.0, 50.0)),
]
PAIRS = [Case(20_000, 2, 5.0, (), "pairs", "dense")]
TILES = [
    Case(n, dim, 5.0, (*(SMALL if n <= 5000 else ()), "torch SDPA"), "products", method, dtype)
    for n in (1000, 4000, 16_000)
    for dim in (8, 64, 512)
    for dtype, method in (("float64", "auto"), ("float32", "tiles"))
]
GROWTH = {"circle": (2, 10**6), "cells": (2, 10**6), "sphere": (3, 10**6), "dense": (2, 20_000), "tiles": (8, 20_000)}
"""Dim and the largest number of tokens, by method."""

RUNS = [
    (2000, 2, 0.3, 1e-7),
    (20_000, 2, 0.6, 1e-7),
    (20_000, 2, 0.6, 1e-9),
    (1_000_000, 2, 0.6, 5e-10),
    (1_000_000, 3, 0.6, 5e-9),
]
"""Tokens, dim, end time and rtol at beta 5; atol is a hundredth of rtol."""

FIRST_CALL = """
from gegenflow.numerics.tokens.geometry import uniform
from gegenflow.numerics.runs.particles import simulate
simulate(uniform(20_000, 2, rng=0), beta=5.0, t_end=0.6, rtol=1e-7, save_at=[0.6])
"""
EULER_STEP, EULER_TOKENS, EULER_END = 1e-4, 20_000, 0.6


def main() -> None:
    """Run the sections asked for and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only what is small, in less than a minute")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--out", type=Path, help="write the tables to a Markdown file, or to JSON if it ends in .json")
    choices = parser.parse_args()
    machine, tables = measure_machine(), {}
    for name in choices.only:
        start = perf_counter()
        tables[name] = SECTIONS[name](machine, choices.quick)
        print(f"{markdown(name, tables[name])}\n{perf_counter() - start:.0f} s\n", flush=True)
        if choices.out:
            text = "\n".join(markdown(title, rows) for title, rows in tables.items())
            choices.out.write_text(json.dumps(tables, indent=1) if choices.out.suffix == ".json" else text)


def limits(machine: Machine, quick: bool) -> list[Row]:
    """The rates of the machine that fractions of the limit refer to."""
    return [
        {"dtype": name, "GEMM GFLOP/s": machine.flops[name] / 1e9, "exp G/s": machine.exponentials[name] / 1e9}
        | {"memory GB/s": machine.bandwidth / 1e9}
        for name in machine.flops
    ]


def fields(cases: list[Case]) -> Callable[[Machine, bool], list[Row]]:
    """A section that compares sums over tokens, a row for each case and peer."""

    def section(machine: Machine, quick: bool) -> list[Row]:
        chosen = [case for case in cases if not quick or case.n * case.dim <= MOST_NUMBERS_QUICK]
        return [row for case in chosen for row in compare(case, machine)]

    return section


def compare(case: Case, machine: Machine) -> list[Row]:
    """Our sums and those of every peer: milliseconds, errors, and the part of the machine's limit that ours reach."""
    tokens = uniform(case.n, case.dim, rng=0).astype(case.dtype)
    weights, targets = np.full(case.n, 1 / case.n), np.random.default_rng(0).choice(case.n, TARGETS)
    field = prepare_field(tokens, weights, Flow(beta=case.beta, model="sa"), method=case.method)
    ours = field.method
    runs = {ours: lambda: field.sums(tokens, weights)}
    runs |= {name: lambda name=name: PEERS[name][1](tokens, case.beta) for name in case.peers if installed(name)}
    drift, normalizer = exact_sums(tokens, weights, case.beta, targets)
    exact = drift / normalizer[:, None]

    def error(name: str) -> float:
        pull, total = runs[name]()
        return float(np.abs(pull[targets] / total[targets, None] - exact).max() / np.abs(exact).max())

    errors = {name: error(name) for name in runs}
    seconds = alternate(runs)
    limit = machine.least_seconds(case.bound, case.n, case.dim, case.dtype)
    common = {"case": str(case), "ours": ours, "ms": 1e3 * seconds[ours], "error": errors[ours]}
    found = [
        {
            "peer": name,
            "peer ms": 1e3 * seconds[name],
            "ratio": seconds[name] / seconds[ours],
            "peer error": errors[name],
        }
        if name in runs
        else {"peer": f"{name} is not installed"}
        for name in case.peers
    ]
    return [common | peer | {"of limit": limit / seconds[ours]} for peer in found or [{"peer": "none"}]]


def growth(machine: Machine, quick: bool) -> list[Row]:
    """Exponents: the slope of log time over log N, from a thousand tokens up."""
    rows: list[Row] = []
    for method, (dim, most) in GROWTH.items():
        sizes = [n for n in (1000, 3000, 10_000, 20_000, 100_000, 10**6) if n <= (min(most, 10_000) if quick else most)]
        seconds = []
        for n in sizes:
            tokens, weights = uniform(n, dim, rng=0), np.full(n, 1 / n)
            run = partial(prepare_field(tokens, weights, Flow(beta=5), method=method).sums, tokens, weights)
            run()
            seconds.append(alternate({method: run}, budget=SECONDS / 4)[method])
        slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        measured = {f"{n:,}": 1e3 * value for n, value in zip(sizes, seconds, strict=True)}
        rows.append({"method": method, "dim": dim, "exponent": float(slope), **measured})
    return rows


def memory(machine: Machine, quick: bool) -> list[Row]:
    """Growth of the resident memory over one call of the field of many tokens, at its peak, in a fresh process."""
    n = 100_000 if quick else 10**6
    return [
        {"case": f"dim {dim}, N={n:,}, beta {beta:g}", "peak growth MB": in_child(peak_growth, n, dim, beta)}
        for dim, beta in ((2, 5.0), (3, 5.0), (3, 50.0))
    ]


def runs(machine: Machine, quick: bool) -> list[Row]:
    """Whole runs, each in a fresh process, and their error against one with a tolerance ten times smaller."""
    return [in_child(one_run, *case) for case in (RUNS[:2] if quick else RUNS)]


def batches(machine: Machine, quick: bool) -> list[Row]:
    """Many runs of 50 tokens at once, and a loop over some of them."""
    return [batch_row(*case) for case in (BATCHES[:2] if quick else BATCHES)]


def euler(machine: Machine, quick: bool) -> list[Row]:
    """The dense Euler scheme of arXiv 2410.23228: one step is timed at fewer tokens and extrapolated.

    Its error is that of the same steps with our field.
    """
    few, steps = 1000 if quick else 5000, round(EULER_END / EULER_STEP)
    tokens, small = uniform(EULER_TOKENS, 2, rng=0), uniform(few, 2, rng=0)
    follow(tokens, 1e-3, 1e-7)
    run, seconds = follow(tokens, EULER_END, 1e-7)
    exact = follow(tokens, EULER_END, 1e-11)[0].tokens

    def step(sums: Callable[..., tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
        return normalize(x + EULER_STEP * np.exp(5.0) * sums(x)[0])

    weights, moved = np.full(EULER_TOKENS, 1 / EULER_TOKENS), tokens
    for _ in range(0 if quick else steps):
        moved = step(lambda x: attention_sums(x, weights, Flow(beta=5)), moved)
    peers = [name for name in ("numpy", "torch") if installed(name)]
    dense = alternate({name: lambda name=name: step(lambda x: PEERS[name][1](x, 5.0), small) for name in peers})
    scale = steps * (EULER_TOKENS / few) ** 2
    row: Row = {"case": f"dim 2, N={EULER_TOKENS:,}, T={EULER_END:g}, beta 5", "ours s": seconds}
    row |= {"error": float(np.abs(run.tokens - exact).max())}
    slow = {} if quick else {"peer error": float(np.abs(moved - exact).max())}
    return [
        row
        | {"peer": f"{name}, dense, Euler", "peer s": scale * dense[name], "ratio": scale * dense[name] / seconds}
        | slow
        | {"extrapolated from": f"a step at N={few:,}, times {steps}, times (N ratio)^2"}
        for name in peers
    ]


def density(machine: Machine, quick: bool) -> list[Row]:
    """The mean-field equation from a smooth start of amplitude 0.01, beside the Lax-Friedrichs scheme of 2410.23228.

    Errors are the largest of the density relative to its maximum; the exact one comes from quantiles, which are
    another discretisation.
    """
    points, t_end, rows = 1000 if quick else 10_000, 0.2, list[Row]()
    start = circle_density(lambda angle: 1 + 0.01 * (np.sin(3 * angle) + np.cos(2 * angle)))
    angle = 2 * np.pi * np.arange(points) / points
    moved = solve_quantiles(start, n=2048, beta=5.0, t_end=t_end, rtol=1e-13, atol=1e-14, save_at=[]).tokens
    places = np.unwrap(np.arctan2(moved[:, 1], moved[:, 0]))
    exact, _ = density_at_quantiles(places)

    before = perf_counter()
    theirs = lax_friedrichs(start.values(angle), 5.0, t_end)
    seconds = perf_counter() - before
    their_error = np.abs(np.interp(places, angle, theirs, period=2 * np.pi) - exact).max() / exact.max()
    for rtol in (1e-4, 1e-8, 1e-12):
        run = partial(solve_density, start, beta=5.0, t_end=t_end, rtol=rtol, save_at=[])
        error = np.abs(run().density.values(places) - exact).max() / exact.max()
        ours = alternate({"ours": run}, budget=SECONDS / 4)["ours"]
        rows.append(
            {"case": f"dim 2, beta 5, T={t_end}, rtol {rtol:g}", "ms": 1e3 * ours, "error": float(error)}
            | {"peer": f"Lax-Friedrichs, {points:,} points", "peer ms": 1e3 * seconds, "ratio": seconds / ours}
            | {"peer error": float(their_error), "error ratio": float(their_error / error)}
        )
    return rows


def first_call(machine: Machine, quick: bool) -> list[Row]:
    """A new Python that imports, and follows 20,000 tokens in dim 2: with nothing compiled, and again."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("nothing compiled", "all compiled"):
            start = perf_counter()
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
            subprocess.run([sys.executable, "-c", FIRST_CALL], env=environment, check=True)
            rows.append({"case": name, "s": perf_counter() - start})
    return rows


def markdown(name: str, rows: list[Row]) -> str:
    """A table with a column for every key of its rows."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns), *([show(row.get(key, "")) for key in columns] for row in rows)]
    return "\n".join([f"## {name}", "", *("| " + " | ".join(line) + " |" for line in lines), ""])


def show(value: str | float) -> str:
    """A number to three digits."""
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


SECTIONS: dict[str, Callable[[Machine, bool], list[Row]]] = {
    "machine": limits,
    "circle": fields(CIRCLE),
    "sphere": fields(SPHERE),
    "pairs": fields(PAIRS),
    "tiles": fields(TILES),
    "growth": growth,
    "runs": runs,
    "batches": batches,
    "euler": euler,
    "density": density,
    "memory": memory,
    "first-call": first_call,
}

if __name__ == "__main__":
    main()
