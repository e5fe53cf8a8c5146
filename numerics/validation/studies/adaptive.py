"""Where more repetitions are worth most."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import numpy as np

from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.studies.store import Store
from gegenflow.numerics.validation.studies.study import Adaptive
from gegenflow.numerics.validation.studies.subjects import Outcome


def widen(store: Store, adaptive: Adaptive) -> bool:
    """Plan more runs of the points whose bar is at least half of the widest, a quarter more of each; whether any are.

    A point with less than two runs has a bar without bound. What is planned depends on results alone, not on the order
    in which they came.
    """
    bars = {point: (bar(store.results(point), adaptive.quantity), count) for point, count in store.points()}
    open_ = {point: (width, n) for point, (width, n) in bars.items() if width > adaptive.error and n < adaptive.most}
    widest = max((width for width, _ in open_.values()), default=0.0)
    for point, (width, count) in open_.items():
        if width >= widest / 2:
            store.plan_more(point, min(max(2, count + max(1, count // 4)), adaptive.most))
    return bool(open_)


def bar(results: Iterable[Outcome], quantity: str) -> float:
    """The standard error of the mean of a quantity over runs, the largest of its entries; without bound for one run.

    >>> bar([{"rate": np.array([1.0, 2.0])}, {"rate": np.array([3.0, 2.0])}], "rate")
    1.0

    Raises ValueError for what runs do not leave, or leave in several shapes.
    """
    count, mean, squares = 0, np.array(0.0), np.array(0.0)
    for outcome in results:
        value = outcome.get(quantity)
        if value is None or value.dtype.kind not in "iufb":
            numbers = [name for name, array in outcome.items() if array.dtype.kind in "iufb"]
            raise Refused("quantity", quantity, f"a run leaves {', '.join(numbers)}")
        if count and value.shape != mean.shape:
            raise Refused("quantity", quantity, f"runs of one point leave it in shapes {mean.shape} and {value.shape}")
        count += 1
        step = value - mean
        mean = mean + step / count
        squares = squares + step * (value - mean)
    return float(np.sqrt(squares / (count * (count - 1))).max(initial=0.0)) if count > 1 else inf
