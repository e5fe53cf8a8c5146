"""Ours beside every peer that is installed, over 60 fields: ``python tests/benchmarks/sweep.py`` (six minutes).

The points of ``choices.py``, float64 and float32, one head and four, each in turn: whole calls of ``attention_field``,
which check what is given, by "auto", and for float32, from dim 8 on, by "tiles", which keep it.  Peers check nothing,
and take one head after the other.  All take turns, but those of torch, whose threads stay awake for a fifth of a
second: these are timed in a process of their own, as ours are there once more.
"""

from functools import partial

import numpy as np
from children import in_child
from choices import PAIRS, points
from machine import alternate
from peers import PEERS, installed

from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.parts import Head
from gegenflow.numerics.tokens.geometry import uniform

SECONDS = 1.2  # spent on each point, if three rounds allow
HEADS = (1.0, 0.75, 0.5, 0.25)  # times beta: that of each of four heads
SERIES = {2: ("ducc0 nufft", "finufft"), 3: ("ducc0 sht",)}
SERIES_FROM, LEAST = 300, 120  # tokens: of transforms, and of what is told apart from the smaller
LARGEST_BETA_FLOAT32 = 80.0


def main():
    """A line a point; then for each peer the worst ratios, of all points and of those with 120 tokens and more."""
    cases, ratios = list(cases_of_points()), {}
    tables = [[timed(case, peers_of(case)) for case in cases]]
    if installed("torch SDPA"):
        tables.append(in_child(with_torch, cases))
    for case, *rows in zip(cases, *tables, strict=True):
        found = {name: time / row["ours"] for row in rows for name, time in row.items() if name != "ours"}
        print(case, f"ours {1e3 * rows[0]['ours']:.3g} ms;", *(f"{name} {ratio:.2f}" for name, ratio in found.items()))
        for name, ratio in found.items():
            ratios.setdefault(name, []).append((ratio, case))
    for name, rows in ratios.items():
        many = [row for row in rows if row[1][1] >= LEAST]
        lost = sum(ratio < 1 for ratio, _ in many)
        print(f"{name} over ours: {told(rows)}; from {LEAST} tokens on {told(many)}, below 1 at {lost} of {len(many)}")


def told(rows):
    """The smallest ratio, and where."""
    ratio, case = min(rows, default=(np.inf, "nowhere"))
    return f"at worst {ratio:.2f} {case}"


def cases_of_points():
    """Dim, tokens, beta, model, type and number of heads of each field."""
    for place, (dim, n, beta, model) in enumerate(points()):
        dtype, heads = ("float64", "float32")[place // 2 % 2], (1, 4)[place // 3 % 2]
        yield dim, n, beta, "sa" if dtype == "float32" and beta > LARGEST_BETA_FLOAT32 else model, dtype, heads


def peers_of(case):
    """Those that take a field: whole matrices while they fit, transforms in their dims and for float64."""
    dim, n, _, _, dtype, _ = case
    series = SERIES.get(dim, ()) if n >= SERIES_FROM and dtype == "float64" else ()
    return [name for name in (*(("numpy",) if n * n * (dim + 6) <= PAIRS else ()), *series) if installed(name)]


def with_torch(cases):
    """The same beside torch alone."""
    return [timed(case, ["torch SDPA"] if case[1] ** 2 * (case[0] + 6) <= PAIRS else []) for case in cases]


def timed(case, peers):
    """Median seconds of ours and of peers."""
    dim, n, beta, model, dtype, heads = case
    tokens = uniform(n, dim, rng=0).astype(dtype)
    betas = [beta * share for share in HEADS[:heads]]
    flow = Flow(heads=[Head(beta=each) for each in betas], model=model) if heads > 1 else Flow(beta=beta, model=model)
    method = "tiles" if dtype == "float32" and dim >= 8 else "auto"
    calls = {"ours": lambda: attention_field(tokens, flow, method=method)}
    calls |= {name: partial(by_peer, PEERS[name][1], tokens, betas) for name in peers}
    return alternate(calls, budget=SECONDS)


def by_peer(sums, tokens, betas):
    """The drift, head by head."""
    return sum(sums(tokens, beta)[0] for beta in betas)


if __name__ == "__main__":
    main()
