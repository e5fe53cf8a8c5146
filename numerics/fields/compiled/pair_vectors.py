r"""The inner loop of the sums over pairs in vectors of eight numbers: a few tokens with all those of a panel.

.. math:: v = e^{\text{rate} |g|^2 \ln 2}, \quad g = x_j - x_i, \qquad
          \text{own}_i \mathrel{+}= w_j v\,(g, 1), \qquad \text{sums}_j \mathrel{+}= w_i v\,(-g, 1)

A panel holds ``PANEL`` tokens, one component after the other and then their weights.  ``ROWS`` tokens are taken at a
time, so that each number of the panel is read once for them, and all their exponentials are on the way at once.  What
calls it must not be compiled with reassociation, which would undo the roundings of the powers.

>>> from numba import njit
>>> import numpy as np
>>> @njit
... def pull(panel, sums, parts):
...     add_pairs(panel, sums, 0, 0, 1, 0, -1.0, parts)
>>> panel, sums, parts = np.zeros(2 * PANEL), np.zeros(2 * PANEL), np.zeros(2 * ROWS * LANES)
>>> panel[1], panel[PANEL : PANEL + 2] = 2.0, (0.25, 0.75)  # places 0 and 2 on a line: v = 1/16
>>> pull(panel, sums, parts)
>>> parts.reshape(2, ROWS, LANES).sum(axis=2)[:, 0], sums[1], sums[PANEL + 1]
(array([0.09375 , 0.046875]), np.float64(-0.03125), np.float64(0.015625))
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.cgutils import for_range

from gegenflow.numerics.fields.compiled.elementary import EXP2_SERIES, ROUNDER
from gegenflow.numerics.fields.compiled.vectors import (
    FUSED,
    INTEGERS,
    LANES,
    LEAST,
    NUMBERS,
    constant,
    spread,
    vector_code,
)

ROWS, PANEL = 4, 16
INTEGER = ir.IntType(64)
PARTS = [range(first, first + LANES) for first in range(0, PANEL, LANES)]


@vector_code
def add_pairs(
    typing: Any, panels: Any, sums: Any, own: Any, other: Any, dim: Any, after: Any, rate: Any, pulls: Any
) -> Any:
    """Tokens from entry ``own`` of the panels on with the panel at entry ``other``, with its places > ``after`` alone.

    ``after`` counts for the first of the tokens, and one more for each that follows.  What they are pulled by is added
    to ``pulls``, shape=[dim + 1, ROWS, LANES] and flat, in parts; what they pull the others by to ``sums``.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        panels, sums, *numbers, pulls = arguments
        array = context.make_array(signature.args[0])
        panels, sums, pulls = (array(context, builder, given).data for given in (panels, sums, pulls))
        _build(builder, panels, sums, pulls, *numbers)
        return context.get_dummy_value()

    return types.void(panels, sums, own, other, dim, after, rate, pulls), build


def _build(b: Any, panels: Any, sums: Any, pulls: Any, own: Any, other: Any, dim: Any, after: Any, rate: Any) -> None:
    def number(component: Any, row: int) -> Any:
        start = b.add(own, b.mul(component, INTEGER(PANEL)))
        return spread(b, b.load(b.gep(panels, [b.add(start, INTEGER(row))])))

    def vectors(base: Any, first: Any, component: Any, count: int) -> list[Any]:
        start = b.add(first, b.mul(component, INTEGER(count * LANES)))
        places = (b.gep(base, [b.add(start, INTEGER(k * LANES))]) for k in range(count))
        return [b.bitcast(place, NUMBERS.as_pointer()) for place in places]

    def loaded(places: list[Any]) -> list[Any]:
        return [b.load(place, align=8) for place in places]

    def stored(values: list[Any], places: list[Any]) -> None:
        for value, place in zip(values, places, strict=True):
            b.store(value, place, align=8)

    pairs = [(row, part) for row in range(ROWS) for part in range(len(PARTS))]
    with b.goto_entry_block():
        squares = [b.alloca(NUMBERS) for _ in pairs]
    stored([constant(0.0)] * len(pairs), squares)
    with for_range(b, dim) as loop:
        others = loaded(vectors(panels, other, loop.index, len(PARTS)))
        for row in range(ROWS):
            x = number(loop.index, row)
            for part, y in enumerate(others):
                gap, place = b.fsub(y, x), squares[row * len(PARTS) + part]
                b.store(_fused(b, gap, gap, b.load(place)), place)

    scale = spread(b, rate)
    values = _exp2(b, [b.fmul(b.load(place), scale) for place in squares])
    masses = loaded(vectors(panels, other, dim, len(PARTS)))
    near, far = [], []
    for (row, part), value in zip(pairs, values, strict=True):
        seen = b.icmp_signed(">", INTEGERS(list(PARTS[part])), spread(b, b.add(after, INTEGER(row)), INTEGERS))
        value = b.select(seen, value, constant(0.0))
        near.append(b.fmul(value, masses[part]))
        far.append(b.fmul(value, number(dim, row)))

    places, own_places = vectors(sums, other, dim, len(PARTS)), vectors(pulls, INTEGER(0), dim, ROWS)
    totals, own_totals = loaded(places), loaded(own_places)
    for k, (row, part) in enumerate(pairs):
        totals[part], own_totals[row] = b.fadd(totals[part], far[k]), b.fadd(own_totals[row], near[k])
    stored(totals + own_totals, places + own_places)

    with for_range(b, dim) as loop:
        others = loaded(vectors(panels, other, loop.index, len(PARTS)))
        places, own_places = vectors(sums, other, loop.index, len(PARTS)), vectors(pulls, INTEGER(0), loop.index, ROWS)
        totals, own_totals = loaded(places), loaded(own_places)
        for row in range(ROWS):
            x = number(loop.index, row)
            for part, y in enumerate(others):
                k, back = row * len(PARTS) + part, b.fsub(x, y)
                totals[part] = _fused(b, far[k], back, totals[part])
                own_totals[row] = b.fsub(own_totals[row], b.fmul(near[k], back, flags=FUSED), flags=FUSED)
        stored(totals + own_totals, places + own_places)


def _fused(b: Any, x: Any, y: Any, z: Any) -> Any:
    return b.fadd(b.fmul(x, y, flags=FUSED), z, flags=FUSED)


def _exp2(b: Any, powers: list[Any]) -> list[Any]:
    # as exp2 of elementary, all of them step by step
    least, rounder = constant(LEAST), constant(ROUNDER)
    powers = [b.select(b.fcmp_ordered(">", power, least), power, least) for power in powers]
    shifted = [b.fadd(power, rounder) for power in powers]
    rests = [b.fsub(power, b.fsub(shift, rounder)) for power, shift in zip(powers, shifted, strict=True)]
    values = [constant(EXP2_SERIES[0])] * len(powers)
    for coefficient in EXP2_SERIES[1:]:
        values = [_fused(b, value, rest, constant(coefficient)) for value, rest in zip(values, rests, strict=True)]
    exponents = [b.shl(b.bitcast(shift, INTEGERS), INTEGERS([52] * LANES)) for shift in shifted]
    sums = [b.add(b.bitcast(value, INTEGERS), part) for value, part in zip(values, exponents, strict=True)]
    return [b.bitcast(total, NUMBERS) for total in sums]
