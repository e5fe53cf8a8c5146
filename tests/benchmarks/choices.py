"""Does ``method="auto"`` choose well? ``python tests/benchmarks/choices.py`` (three minutes on a quiet machine).

Sixty fields, from 10 tokens in dim 2 to 100,000 and to dim 1024, beta .5 to 200, USA and SA in turn: whole calls of
``attention_field``, with the checks of what is given, by "auto", by each of our methods that takes them, and by every
peer that is installed, which checks nothing. They take turns, and medians are compared. Not those of torch, whose
threads stay awake for a fifth of a second and slow whoever is next.
"""

from itertools import product

import numpy as np
from machine import alternate
from peers import PEERS, installed

from gegenflow.numerics.fields.method import METHODS, attention_field, prepare_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import uniform

SIZES = {
    **dict.fromkeys((2, 3), (10, 60, 300, 2000, 100_000)),
    **dict.fromkeys((8, 64), (10, 60, 300, 2000, 10_000)),
    **dict.fromkeys((384, 1024), (10, 60, 300, 1000, 4000)),
}
PAIRS = 4e9  # times dim + 6, of sums over pairs: more would take seconds
SECONDS = 1.0  # spent on each point, if three rounds allow
SERIES = {2: ("ducc0 nufft", "finufft"), 3: ("ducc0 sht",)}


def main():
    """A line a point; then the worst ratios and how often the choice was the fastest."""
    worst, slower, best = {}, [], 0
    points = list(product(*[SIZES.items()], range(5), range(2)))
    for place, ((dim, sizes), size, turn) in enumerate(points):
        n, beta, model = sizes[size], (0.5, 5.0, 50.0, 200.0)[(place + place // 4) % 4], ("usa", "sa")[turn]
        ours, peers, chosen = timed(n, dim, Flow(beta=beta, model=model))
        fastest = min(ours, key=ours.get)
        best += ours["auto"] <= 1.1 * ours[fastest]
        slower.append((ours["auto"] / ours[fastest], dim, n, chosen, fastest))
        for name, seconds in peers.items():
            worst[name] = min(worst.get(name, (np.inf,)), (seconds / ours["auto"], dim, n))
        told = ", ".join(f"{name} {1e3 * seconds:.3g}" for name, seconds in (ours | peers).items())
        print(f"dim {dim}, N={n:,}, beta {beta:g}, {model}: {chosen}; ms: {told}", flush=True)
    print(
        f"auto is within a tenth of the fastest of ours at {best} of {len(points)} points; slowest there: {max(slower)}"
    )
    for name, (ratio, dim, n) in worst.items():
        print(f"{name} over ours, at worst {ratio:.2f} (dim {dim}, N={n:,})")


def timed(n, dim, flow):
    """Median seconds of ours by method and of peers, and what "auto" took."""
    tokens = uniform(n, dim, rng=0)
    within = n * n * (dim + 6) <= PAIRS
    methods = [
        name
        for name, method in METHODS.items()
        if (not method.dims or dim in method.dims) and (method.series or within)
    ]
    names = [*(("numpy",) if within else ()), *(SERIES.get(dim, ()) if n >= 300 else ())]
    calls = {name: lambda name=name: attention_field(tokens, flow, method=name) for name in ("auto", *methods)}
    calls |= {name: lambda name=name: PEERS[name][1](tokens, flow.beta) for name in names if installed(name)}
    seconds = alternate(calls, budget=SECONDS)
    peers = {name: seconds.pop(name) for name in names if name in seconds}
    return seconds, peers, prepare_field(tokens, np.full(n, 1 / n), flow).method


if __name__ == "__main__":
    main()
