"""Does ``method="auto"`` choose well? ``python tests/benchmarks/choices.py`` (two minutes on a quiet machine).

Sixty fields, from 10 tokens in dim 2 to 100,000 and to dim 1024, beta .5 to 200, USA and SA in turn: whole calls of
``attention_field``, with the checks of what is given, by "auto" and by each of our methods that takes them and is exact
enough for it. They take turns, and medians are compared. ``sweep.py`` has the peers.
"""

from itertools import product

import numpy as np
from machine import alternate

from gegenflow.numerics.fields.method import METHODS, RESOLVED, attention_field, prepare_field, resolved_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import uniform

SIZES = {
    **dict.fromkeys((2, 3), (10, 60, 300, 2000, 100_000)),
    **dict.fromkeys((8, 64), (10, 60, 300, 2000, 10_000)),
    **dict.fromkeys((384, 1024), (10, 60, 300, 1000, 4000)),
}
BETAS = (0.5, 5.0, 50.0, 200.0)
PAIRS = 4e9  # times dim + 6, of sums over pairs: more would take seconds
SECONDS = 1.0  # spent on each point, if three rounds allow


def points():
    """Dim, number of tokens, beta and model of each field."""
    for place, ((dim, sizes), size, turn) in enumerate(product(SIZES.items(), range(5), range(2))):
        yield dim, sizes[size], BETAS[(place + place // 4) % 4], ("usa", "sa")[turn]


def main():
    """A line a point; then how often the choice was the fastest, and where it was not by how much."""
    slower, best, same = [], 0, 0
    for dim, n, beta, model in points():
        seconds, chosen = timed(n, dim, Flow(beta=beta, model=model))
        fastest = min(seconds, key=seconds.get)
        best += seconds["auto"] <= 1.1 * seconds[fastest]
        same += fastest in ("auto", chosen)
        slower.append((seconds["auto"] / seconds[fastest], dim, n, beta, chosen, fastest))
        told = ", ".join(f"{name} {1e3 * time:.3g}" for name, time in seconds.items())
        print(f"dim {dim}, N={n:,}, beta {beta:g}, {model}: {chosen}; ms: {told}", flush=True)
    print(f"auto is within a tenth of the fastest of ours that are exact enough at {best} of {len(slower)} points, and")
    print(
        f"takes the very fastest at {same}: where it is slower there, what the machine does besides tells them apart;"
    )
    print("slowest there:", *(f"{row[0]:.2f} {row[1:]}" for row in sorted(slower, reverse=True)[:6]), sep="\n")


def timed(n, dim, flow):
    """Median seconds by method, and what "auto" took."""
    tokens, weights = uniform(n, dim, rng=0), np.full(n, 1 / n)
    calls = {"auto": lambda: attention_field(tokens, flow, method="auto")}
    for name, method in METHODS.items():
        affordable = method.series or n * n * (dim + 6) <= PAIRS
        if affordable and (not method.dims or dim in method.dims) and is_exact_enough(name, tokens, weights, flow):
            calls[name] = lambda name=name: attention_field(tokens, flow, method=name)
    return alternate(calls, budget=SECONDS), resolved_field(tokens, weights, flow).method


def is_exact_enough(name, tokens, weights, flow):
    """By the error that a method states, beside what each token sums up, as "auto" asks."""
    field = prepare_field(tokens, weights, flow, method=name)
    _, normalizer = field.sums(tokens, weights)
    largest = max(field.largest) if METHODS[field.method].series else field.largest[0]
    return field.error * largest <= RESOLVED * normalizer.min()


if __name__ == "__main__":
    main()
