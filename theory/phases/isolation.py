r"""All parameters at which the leading degree changes, for any kernel with any noise: none is missed.

For a single exponential without noise the rates are unimodal and :mod:`gegenflow.theory.phases.diagram` is much faster.
For a mixture they need not be: :mod:`gegenflow.theory.phases.pieces` splits an interval until on each piece it is
proved what happens, :mod:`gegenflow.theory.phases.leaders` says what is compared. Source: derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import inf, nextafter
from typing import Unpack

import flint
import sympy as sp
from flint import arb, fmpq

from gegenflow.theory.exact.arguments import Expr, Real, check_noise, check_rational, check_real
from gegenflow.theory.exact.balls import ends as ends_of
from gegenflow.theory.exact.certified import certify
from gegenflow.theory.exact.integers import check_digits, check_dim, check_items, check_number
from gegenflow.theory.exact.refusals import Refused, refusal
from gegenflow.theory.growth.rates import POSITIVE_MEAN
from gegenflow.theory.kernels.attention import KernelLike, as_kernel
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.kernels.weights import OWN
from gegenflow.theory.phases.curves import BITS, first_change, root
from gegenflow.theory.phases.leaders import Comparison, Scores, scores_of
from gegenflow.theory.phases.lines import Boundaries, Boundary, Coexistence
from gegenflow.theory.phases.pieces import leader_between, pieces
from gegenflow.theory.symbols import beta


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

    :param kernel: attention weight h(t) as a Kernel, a formula or its text
    :param dim: d of the sphere S^{d-1}, >= 2
    :param between: the ends of the interval, two rational numbers, the first below the second
    :param parameter: the one symbol left in the kernel and the noise, or its name (default beta)
    :param digits: significant digits to certify, >= 1 (default 15)
    :param options: ``noise``, ``model``, ``quantity`` and ``max_degree`` as for
        :func:`~gegenflow.theory.phases.selected_degree`

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> found = boundaries("exp(beta*t)", 2, (1, 7), digits=8)
    >>> found.degrees, [edge.value for edge in found.boundaries], found.complete
    ((1, 2, 3, 4), [[1.0444569 +/- 3.8e-8], [3.1654344 +/- 4.3e-8], [6.2112984 +/- 2.1e-8]], True)
    >>> found = boundaries(Kernel.heads([1, "0.5"], [1, -4]), 3, (1, 4), digits=5)  # odd degrees only: 4 is skipped
    >>> found.degrees
    (3, 5)

    SA divides by the mean of the weight, and the search ends where that vanishes, here by hand at 3:

    >>> found = boundaries("1 + 2*t - beta*t**2", 3, (0, 4), model="sa", digits=5)
    >>> found.degrees, found.vanishes.value
    ((2,), '3.0000')

    Raises Refused as :func:`~gegenflow.theory.phases.selected_degree`, for an interval that is none, for a parameter
    that neither the kernel nor the noise holds, and for SA where the mean is positive at neither end.
    Source: derived here.

    See also :func:`.coexistence`, :func:`.critical_table`, :func:`.selected_degree`.
    """
    low, high = check_interval("between", between)
    parameter = _symbol("parameter", parameter)
    kernel, options["noise"] = _put(parameter, parameter, as_kernel(kernel), check_noise(options.get("noise", 0)))
    scores = scores_of(kernel, dim, parameter, **options)
    edges: list[Boundary] = []
    unresolved: list[tuple[float, float]] = []
    degrees: list[int] = []
    open_end = False
    with flint.ctx.workprec(BITS):
        scores, zero, reach = _where_defined(scores, low, high)
        reached = reach[0]
        for start, end, pair in pieces(scores, *reach):
            if pair:
                at_zero = start <= 0 <= end and scores.tie_at_zero(pair)
                edge = arb if at_zero else partial(root, scores.difference(pair), start, end)
                edges.append(Boundary(certify(edge, digits), *pair))
                degrees.append(pair[0])
            elif open_end and start == reached:
                unresolved[-1] = (unresolved[-1][0], float_towards(end, inf))
            else:
                degrees.append(leader_between(scores, reached, start))
                unresolved.append((float_towards(start, -inf), float_towards(end, inf)))
            reached, open_end = end, pair is None
        degrees.append(leader_between(scores, reached, reach[1]))
    vanishes = None if zero is None else certify(zero, digits)
    return Boundaries(parameter, low, high, tuple(degrees), tuple(edges), tuple(unresolved), vanishes, reach)


def _where_defined(scores: Scores, low: fmpq, high: fmpq) -> tuple[Scores, Callable[[], arb] | None, tuple[fmpq, fmpq]]:
    """The scores, the zero of the mean by which SA divides, and the part of the interval on its one side.

    Where it is proved that the mean is positive in that part the scores no longer look at it.
    """
    if not scores.softmax:
        return scores, None, (low, high)
    mean = scores.mean()
    ends = mean.sign(low), mean.sign(high)
    if ends == (-1, -1):
        where = f"and at {scores.parameter} = {low} and {high} it is not"
        raise Refused("kernel", scores.softmax[0].weight, f"{POSITIVE_MEAN}, {where}")
    try:
        change = first_change(mean, low, high, from_high=ends[0] != 1)
    except ArithmeticError:
        return scores, None, (low, high)
    defined = replace(scores, softmax=())
    if change is None:
        return defined, None, (low, high)
    zero = partial(root, mean, *change)
    near, far = (fmpq(end.numerator, end.denominator) for end in ends_of(zero()))
    return defined, zero, (low, far) if ends[0] == 1 else (near, high)


def check_interval(name: str, ends: tuple[Real, Real]) -> tuple[fmpq, fmpq]:
    """The ends of an interval, two rational numbers in their order, or a refusal."""
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


def float_towards(end: fmpq, towards: float) -> float:
    """The nearest float on one side of a number, or at it."""
    exact = Fraction(int(end.p), int(end.q))
    near = float(exact)
    beyond = Fraction(near) > exact if towards < 0 else Fraction(near) < exact
    return nextafter(near, towards) if beyond else near


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
) -> Coexistence:
    r"""Coexistence lines in the plane of two parameters: all boundaries in one of them, for each value of the other.

    Returns a mapping {value along: :class:`Boundaries` across}, which draws itself; the points with the same two
    degrees make up a line.

    :param kernel: attention weight h(t) as a Kernel, a formula or its text, with two parameters
    :param dim: d of the sphere S^{d-1}, >= 2
    :param across: (parameter, low, high): a symbol or its name, and the interval that is searched, of rational ends
    :param along: (parameter, values): the other one, and the numbers that it takes
    :param digits: significant digits to certify, >= 1 (default 15)
    :param options: ``noise``, ``model``, ``quantity`` and ``max_degree`` as for
        :func:`~gegenflow.theory.phases.selected_degree`

    >>> from gegenflow.theory.kernels.kernel import Kernel
    >>> v = sp.Symbol("v", real=True)
    >>> lines = coexistence(Kernel.heads([1, v], [1, 2]), 2, across=(beta, 1, 3), along=(v, [0, 1]), digits=5)
    >>> [[edge.value for edge in lines[value].boundaries if (edge.below, edge.above) == (1, 2)] for value in (0, 1)]
    [[[1.0445 +/- 4.4e-5]], []]

    Raises Refused as :func:`boundaries`. Source: derived here.

    See also :func:`.boundaries`.
    """
    dim, digits = check_number("dim", check_dim(dim)), check_digits(digits)
    whole_line = "a symbol and the values that it takes are needed"
    given, values = check_items(along, "along", whole_line, count=2)
    symbol, values = _symbol("along", given), check_items(values, "along", whole_line)
    given, *ends = check_items(across, "across", "a symbol and the two ends of an interval are needed", count=3)
    parameter, (low, high) = _symbol("across", given), check_interval("across", tuple(ends))
    noise = check_noise(options.get("noise", 0))

    def cut(value: Real) -> Boundaries:
        number = check_real(value, str(symbol), "a finite number is needed", symbols=False)
        here, still = _put(symbol, number, as_kernel(kernel), noise)
        held: Comparison = {**options, "noise": still}
        return boundaries(here, dim, (low, high), parameter=parameter, digits=digits, **held)

    return Coexistence({value: cut(value) for value in values}, symbol)
