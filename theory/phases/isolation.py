r"""All parameters at which the leading degree changes, for any kernel with any noise: none is missed.

For a single exponential without noise the rates are unimodal and :mod:`gegenflow.theory.phases.diagram` is much faster.
For a mixture they need not be, so an interval of the parameter is split until on each piece, in balls,

1. one degree beats all others, those beyond a bound on the tail included: no boundary; or
2. two degrees beat all others and the difference of their scores is strictly monotone: one boundary if it changes sign
   between the ends, else none.

Pieces that come to neither (more than two degrees that meet, scores that touch) are reported as unresolved.
:mod:`gegenflow.theory.phases.leaders` says what a score is. Source: derived here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import inf, nextafter
from typing import Unpack

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr, Real, check_noise, check_rational, check_real
from gegenflow.theory.exact.certified import Certified, certify
from gegenflow.theory.exact.integers import check_items
from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.kernels.attention import KernelLike, as_kernel
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.kernels.weights import OWN
from gegenflow.theory.phases.leaders import BITS, Comparison, Scores, scores_of
from gegenflow.theory.symbols import beta

MOST_PIECES = 2000
NARROWEST = fmpq(1, 2**60)
"""Relative width below which a piece is not split."""
SPLIT = fmpq(487, 1000)
"""Where a piece is split: off the middle, where symmetric kernels like to have their boundaries."""


@dataclass(frozen=True)
class Boundary:
    """A parameter at which the leader changes, from the degree ``below`` to the degree ``above`` it."""

    value: Certified
    below: int
    above: int

    _repr_html_ = record_html


@dataclass(frozen=True)
class Boundaries:
    """All boundaries in an interval of a parameter, and the pieces of it for which that is not proved.

    ``degrees`` are the leaders from the low end to the high end, between the boundaries and the unresolved pieces.
    """

    parameter: sp.Symbol
    low: fmpq
    high: fmpq
    degrees: tuple[int, ...]
    boundaries: tuple[Boundary, ...]
    unresolved: tuple[tuple[float, float], ...]

    _repr_html_ = record_html

    @property
    def complete(self) -> bool:
        """Whether it is proved that there are no others."""
        return not self.unresolved


def boundaries(
    kernel: KernelLike,
    dim: int,
    between: tuple[Real, Real],
    *,
    parameter: sp.Symbol | str = beta,
    digits: int = 15,
    **options: Unpack[Comparison],
) -> Boundaries:
    r"""All values of a parameter in an interval at which the leading degree changes, certified.

    ``parameter`` is the one symbol left in ``kernel`` and ``noise``, told by its name; ``between`` are the ends of the
    interval; ``noise``, ``model``, ``quantity`` and ``max_degree`` as for
    :func:`~gegenflow.theory.phases.selected_degree`.

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> found = boundaries("exp(beta*t)", 2, (1, 7), digits=8)
    >>> found.degrees, [edge.value for edge in found.boundaries], found.complete
    ((1, 2, 3, 4), [[1.0444569 +/- 3.8e-8], [3.1654344 +/- 4.3e-8], [6.2112984 +/- 2.1e-8]], True)
    >>> found = boundaries(Kernel.heads([1, "0.5"], [1, -4]), 3, (1, 4), digits=5)  # odd degrees only: 4 is skipped
    >>> found.degrees
    (3, 5)

    Raises Refused as :func:`~gegenflow.theory.phases.selected_degree`, for an interval that is none, and for a
    parameter that neither the kernel nor the noise holds. Source: derived here.
    """
    low, high = _interval("between", between)
    parameter = _symbol("parameter", parameter)
    kernel, options["noise"] = _put(parameter, parameter, as_kernel(kernel), check_noise(options.get("noise", 0)))
    scores = scores_of(kernel, dim, parameter, **options)
    edges: list[Boundary] = []
    unresolved: list[tuple[float, float]] = []
    degrees: list[int] = []
    reached, open_end = low, False
    with flint.ctx.workprec(BITS):
        for start, end, pair in _pieces(scores, low, high):
            if pair:
                at_zero = start <= 0 <= end and scores.tie_at_zero(pair)
                root = arb if at_zero else partial(_root, scores, pair, start, end)
                edges.append(Boundary(certify(root, digits), *pair))
                degrees.append(pair[0])
            elif open_end and start == reached:
                unresolved[-1] = (unresolved[-1][0], _outward(end, inf))
            else:
                degrees.append(_leader_between(scores, reached, start))
                unresolved.append((_outward(start, -inf), _outward(end, inf)))
            reached, open_end = end, pair is None
        degrees.append(_leader_between(scores, reached, high))
    return Boundaries(parameter, low, high, tuple(degrees), tuple(edges), tuple(unresolved))


def _interval(name: str, ends: tuple[Real, Real]) -> tuple[fmpq, fmpq]:
    allowed = "two numbers, the ends of the interval, are needed"
    low, high = (check_rational(end, name, allowed) for end in check_items(ends, name, allowed, count=2))
    if not low < high:
        raise Refused(name, f"{low} to {high}", "the first end must be below the second")
    return low, high


def _symbol(name: str, parameter: sp.Symbol | str) -> sp.Symbol:
    """A symbol, or the symbol of a name, as the theory writes it."""
    symbol = sp.Symbol(parameter, real=True) if isinstance(parameter, str) and parameter.isidentifier() else parameter
    if not isinstance(symbol, sp.Symbol):
        raise refusal(name, parameter, "a symbol or its name is needed")
    return OWN.get(symbol.name, symbol)


def _outward(end: fmpq, towards: float) -> float:
    """The nearest float on one side of a number, or at it."""
    exact = Fraction(int(end.p), int(end.q))
    near = float(exact)
    beyond = Fraction(near) > exact if towards < 0 else Fraction(near) < exact
    return nextafter(near, towards) if beyond else near


def _piece(low: fmpq, high: fmpq) -> arb:
    return arb(low).union(arb(high))


def _pieces(scores: Scores, low: fmpq, high: fmpq) -> list[tuple[fmpq, fmpq, tuple[int, int] | None]]:
    """From low to high, the pieces with one boundary and its two degrees, and (with None) those unresolved."""
    found: list[tuple[fmpq, fmpq, tuple[int, int] | None]] = []
    waiting = deque([(low, high)])
    for _ in range(MOST_PIECES):
        if not waiting:
            break
        start, end = waiting.popleft()
        pair = _only_pair(scores, start, end)
        if pair == () and end - start < NARROWEST * (high - low):
            found.append((start, end, None))
        elif pair == ():
            middle = start + (end - start) * SPLIT
            waiting += [(start, middle), (middle, end)]
        elif pair:
            found.append((start, end, pair))
    return sorted([*found, *((start, end, None) for start, end in waiting)], key=lambda piece: piece[0])


def _only_pair(scores: Scores, low: fmpq, high: fmpq) -> tuple[int, int] | tuple[()] | None:
    """The degrees below and above the one boundary of a piece, None if it has none, () if it must be split."""
    piece = _piece(low, high)
    if not scores.is_defined(piece):
        return ()
    leaders = scores.leaders(piece)
    if len(leaders) == 1:
        return None
    if len(leaders) > 2:
        return ()
    one, other = leaders
    slope = scores.difference((one, other), piece, 1)
    ends = scores.sign((one, other), low), scores.sign((one, other), high)
    if not (slope > 0 or slope < 0) or 0 in ends:
        return ()
    if ends[0] == ends[1]:
        return None
    return (one, other) if ends[0] > 0 else (other, one)


def _root(scores: Scores, pair: tuple[int, int], low: fmpq, high: fmpq) -> arb:
    """Ball Newton steps on a piece where the difference is monotone and changes sign."""
    root = _piece(low, high)
    while True:
        middle = arb(root.mid())
        slope = scores.difference(pair, root, 1)
        step = root.intersection(middle - scores.difference(pair, middle) / slope)
        if not step.rad() < root.rad() / 2:
            return step
        root = step


def _leader_between(scores: Scores, low: fmpq, high: fmpq) -> int:
    """The leader on a stretch that has only one (the lowest, should two be equal all along)."""
    return scores.leaders(arb(arb((low + high) / 2).mid()))[0]


def _put(symbol: sp.Symbol, value: Expr, kernel: Kernel, noise: Expr) -> tuple[Kernel, Expr]:
    """The kernel and the noise with a value in the place of every symbol of this name; Refused where there is none."""
    held = [own for own in sp.sympify(noise).free_symbols if own.name == symbol.name]
    if symbol.name not in kernel.parameters and not held:
        raise Refused("parameter", symbol, f"neither the kernel {kernel.weight} nor the noise {noise} holds it")
    here = kernel.at({symbol: value}) if symbol.name in kernel.parameters else kernel
    return here, sp.sympify(noise).subs(dict.fromkeys(held, value))


def coexistence(
    kernel: KernelLike,
    dim: int,
    across: tuple[sp.Symbol | str, Real, Real],
    along: tuple[sp.Symbol | str, Iterable[Real]],
    *,
    digits: int = 15,
    **options: Unpack[Comparison],
) -> dict[Real, Boundaries]:
    r"""Coexistence lines in the plane of two parameters: all boundaries in one of them, for each value of the other.

    Returns {value along: :class:`Boundaries` across}; the points with the same two degrees make up a line. Options as
    for :func:`boundaries`.

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> v = sp.Symbol("v", real=True)
    >>> lines = coexistence(Kernel.heads([1, v], [1, 2]), 2, across=(beta, 1, 3), along=(v, [0, 1]), digits=5)
    >>> [[edge.value for edge in lines[value].boundaries if (edge.below, edge.above) == (1, 2)] for value in (0, 1)]
    [[[1.0445 +/- 4.4e-5]], []]

    Raises Refused as :func:`boundaries`. Source: derived here.
    """
    whole_line = "a symbol and the values that it takes are needed"
    given, values = check_items(along, "along", whole_line, count=2)
    symbol, values = _symbol("along", given), check_items(values, "along", whole_line)
    given, *ends = check_items(across, "across", "a symbol and the two ends of an interval are needed", count=3)
    parameter, (low, high) = _symbol("across", given), _interval("across", tuple(ends))
    noise = check_noise(options.get("noise", 0))

    def cut(value: Real) -> Boundaries:
        number = check_real(value, str(symbol), "a finite number is needed", symbols=False)
        here, still = _put(symbol, number, as_kernel(kernel), noise)
        held: Comparison = {**options, "noise": still}
        return boundaries(here, dim, (low, high), parameter=parameter, digits=digits, **held)

    return {value: cut(value) for value in values}
