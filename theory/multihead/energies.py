r"""Energies of several heads, each with a symmetric form :math:`M_h` = query-key = value matrix (USA, n tokens).

.. math:: E_h = \frac{1}{2\beta n^2}\sum_{ij} e^{\beta\langle x_i, M_hx_j\rangle}, \qquad
          f_i^h = \sum_j e^{\beta\langle x_i, M_hx_j\rangle} M_hx_j, \qquad \dot x_i = P_{x_i}\frac1n\sum_h f_i^h

The gradient of :math:`E_h` in :math:`x_i` is :math:`f_i^h/n^2`, so with :math:`F = \sum_h f^h`

.. math:: \dot E_h = \frac{1}{n^3}\sum_i \langle P f_i^h, P F_i\rangle
          = \frac{1}{n^3}\sum_i \big[\langle f_i^h, F_i\rangle - \langle x_i, f_i^h\rangle\langle x_i, F_i\rangle\big],
          \qquad \dot E = \frac1n\sum_i |\dot x_i|^2 .

The total energy grows; with values :math:`c_hM_h` it is :math:`\sum_h c_hE_h`, whatever the signs of :math:`c_h`. An
energy of one head may fall: the second term, its radial shadow, stays where the forms are orthogonal. It grows where
:math:`|Pf_i^h| \ge \sum_{k\ne h}|Pf_i^k|` for all i, by Cauchy and Schwarz, and for scalar forms
:math:`m_h > 0` of equiangular tokens, whose :math:`Pf_i^h` are all parallel.
Source: arXiv 2605.04279 for the energies; shadow, multiples and conditions are derived here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import exp
from typing import TypeAlias

import flint
import sympy as sp
from flint import arb

from gegenflow.theory.exact.arguments import Expr, Real, check_real
from gegenflow.theory.exact.certified import Certified, certify_at
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.integers import check_count, check_digits, check_items, check_rows
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import record_html

Matrix: TypeAlias = sp.ImmutableMatrix
Rows: TypeAlias = Sequence[Sequence[Real]]
Matrices: TypeAlias = Sequence[Rows]
"""Square matrices of one size, one for each head."""
MOST_HEIGHT = 60
BITS = 512


@dataclass(frozen=True)
class EnergyRates:
    """How fast the energies of several heads change.

    :param total: rate of the whole energy, >= 0, per unit of the flow's time
    :param rates: that of each head; they add up to the total
    :param shadows: the radial shadow of each, what the projection takes away
    :param bounds: a bound from below on each by Cauchy and Schwarz; where it is >= 0 the energy of the head grows for
        sure

    Source: derived here.

    See also :func:`.energy_rates`.
    """

    total: Certified
    rates: tuple[Certified, ...]
    shadows: tuple[Certified, ...]
    bounds: tuple[Certified, ...]

    _repr_html_ = record_html


def energy_rates(tokens: Rows, forms: Matrices, beta: Real, *, digits: int = 15) -> EnergyRates:
    r"""The rates :math:`\dot E_h` of the energies of heads, certified, by the identity at the head of this module.

    :param tokens: exact unit vectors, shape (n, dim)
    :param forms: the symmetric M_h, shape (heads, dim, dim), exact
    :param beta: inverse temperature, > 0
    :param digits: significant digits to certify, >= 1 (default 15)

    Two orthogonal heads, of which the first loses energy:

    >>> tokens, forms = [["5/13", "12/13"], ["8/17", "15/17"]], [[[1, 0], [0, 0]], [[0, 0], [0, 3]]]
    >>> found = energy_rates(tokens, forms, 2, digits=6)
    >>> found.rates, found.total
    (([-85.9538 +/- 3.9e-5], [23757.0 +/- 0.046]), [23671.1 +/- 0.0081])

    Raises ValueError for rows that are not of length one, exactly, for forms that are not symmetric or of another size,
    beta <= 0 or a symbol. Source: arXiv 2605.04279, its per-head identity, with the radial shadow derived here.

    See also :func:`.counterexample`, :func:`.gradient_multiples`.
    """
    rows, heads, b = check_unit_rows(tokens), check_forms(forms), _above_zero(beta)
    if any(form.rows != rows.cols for form in heads):
        raise Refused("forms", None, f"tokens of dim {rows.cols} need forms of that size")

    pulls = _pulls(rows, heads, b)
    whole = sum(pulls, sp.zeros(*rows.shape))
    shadows = [_mean(a * c for a, c in zip(_dots(rows, f), _dots(rows, whole), strict=True)) for f in pulls]
    rates = [_mean(_dots(f, whole)) - shadow for f, shadow in zip(pulls, shadows, strict=True)]
    lengths = [[sp.sqrt(sq - a**2) for sq, a in zip(_dots(f, f), _dots(rows, f), strict=True)] for f in pulls]
    bounds = [
        _mean(own * (2 * own - sp.Add(*every)) for own, *every in zip(one, *lengths, strict=True)) for one in lengths
    ]

    def told(expression: Expr) -> Certified:
        zero = may_vanish(expression) and sp.expand(expression) == 0
        return certify_at("beta", beta, (lambda: arb(0)) if zero else (lambda: enclose(expression)), digits)

    def each(expressions: list[Expr]) -> tuple[Certified, ...]:
        return tuple(map(told, expressions))

    return EnergyRates(told(sp.Add(*rates)), each(rates), each(shadows), each(bounds))


def _above_zero(beta: Real) -> Expr:
    return check_real(beta, "beta", "a number > 0 is needed", above=0, symbols=False)


def may_vanish(expression: Expr) -> bool:
    """Whether many bits do not tell a number from 0.

    >>> may_vanish(sp.exp(1) ** 2 - sp.exp(2)), may_vanish(sp.exp(1) - 3)
    (True, False)
    """
    with flint.ctx.workprec(BITS):
        return bool(enclose(expression).contains(0))


def _pulls(rows: Matrix, forms: Sequence[Matrix], beta: Expr) -> list[Matrix]:
    """f_i^h, for each head an n x d matrix."""
    return [(rows * form * rows.T).applyfunc(lambda s: sp.exp(beta * s)) * rows * form for form in forms]


def _dots(one: Matrix, other: Matrix) -> list[Expr]:
    return [
        sp.Add(*(x * y for x, y in zip(a, b, strict=True))) for a, b in zip(one.tolist(), other.tolist(), strict=True)
    ]


def _mean(values: Iterable[Expr]) -> Expr:
    found = list(values)
    return sp.Add(*found) / len(found) ** 3


def counterexample(
    forms: Matrices, beta: Real, *, head: int = 0, height: int = 12, digits: int = 15
) -> tuple[tuple[tuple[Expr, ...], ...], Certified] | None:
    r"""Two rational tokens of the plane where the energy of a head falls fastest, and its certified rate, or None.

    Among the points :math:`\big(\frac{p^2-q^2}{p^2+q^2}, \frac{2pq}{p^2+q^2}\big)`, :math:`0 \le |q| \le p \le`
    ``height``.

    :param forms: the symmetric M_h, shape (heads, 2, 2), exact
    :param beta: inverse temperature, > 0
    :param head: index of the head, >= 0 (default 0)
    :param height: how many points are tried, 1 <= height <= 60 (default 12)
    :param digits: significant digits to certify, >= 1 (default 15)

    >>> tokens, rate = counterexample([[[1, 0], [0, 0]], [[0, 0], [0, 3]]], 2, height=6, digits=5)
    >>> rate < -85, all(sum(x**2 for x in token) == 1 for token in tokens)
    (True, True)
    >>> counterexample([[[1, 0], [0, 1]]], 2, height=6) is None            # of one head it is the total energy
    True

    Raises ValueError for others. Source: derived here.

    See also :func:`.energy_rates`.
    """
    heads, b, digits = check_forms(forms), _above_zero(beta), check_digits(digits)
    head = check_count(head, "head", f"an index from 0 to {len(heads) - 1} is needed", least=0, most=len(heads) - 1)
    height = check_count(height, "height", "a whole number from 1 to 60 is needed", least=1, most=MOST_HEIGHT)
    if any(form.rows != 2 for form in heads):
        raise Refused("forms", None, "the search is for forms of the plane, 2 x 2")
    floats, size = [[[float(x) for x in form.row(i)] for i in range(2)] for form in heads], float(b)
    pairs = product(_circle(height), repeat=2)
    best = min(pairs, key=lambda pair: _float_rate(pair, floats, size, head))
    if not _float_rate(best, floats, size, head) < 0:
        return None
    rate = energy_rates(best, heads, beta, digits=digits).rates[head]
    return tuple(tuple(sp.Rational(x.numerator, x.denominator) for x in token) for token in best), rate


def gradient_multiples(query_keys: Matrices, values: Matrices) -> tuple[Expr, ...] | None:
    r"""The :math:`c_h` with :math:`V_h = c_hB_h`, :math:`B_h` symmetric; None where that is no gradient flow.

    Then :math:`\sum_h c_h E_h` grows, by :math:`\frac1n\sum_i|\dot x_i|^2`, for every beta and every start.

    :param query_keys: the B_h, shape (heads, dim, dim), exact
    :param values: the V_h, of the same shape, exact

    >>> gradient_multiples([[[1, 0], [0, 2]], [[1, 0], [0, 1]]], [[[1, 0], [0, 2]], [[-3, 0], [0, -3]]])
    (1, -3)
    >>> gradient_multiples([[[1, 0], [0, 2]]], [[[1, 0], [0, 1]]]) is None
    True

    Raises ValueError for matrices that are not square, of different sizes or not as many. Source: derived here.

    See also :func:`.energy_rates`.
    """
    forms, given = (check_matrices(name, part) for name, part in (("query_keys", query_keys), ("values", values)))
    if [form.shape for form in forms] != [value.shape for value in given]:
        raise Refused("values", None, "one is needed for each query_key, of its size")
    found: list[Expr] = []
    for form, value in zip(forms, given, strict=True):
        places = [place for place, entry in enumerate(form) if entry != 0]
        multiple = sp.sympify(value[places[0]] / form[places[0]]) if places else sp.Integer(0)
        if sp.simplify(form - form.T) != sp.zeros(*form.shape) or sp.simplify(value - multiple * form) != sp.zeros(
            *form.shape
        ):
            return None
        found.append(multiple)
    return tuple(found)


def check_forms(forms: Matrices, name: str = "forms") -> tuple[Matrix, ...]:
    """Symmetric matrices of one size, exact.

    >>> check_forms([[[1, "0.5"], ["0.5", 0]]])[0][0, 1]
    1/2
    """
    found = check_matrices(name, forms)
    if any(form != form.T for form in found):
        raise Refused(name, None, "they must be symmetric")
    return found


def check_matrices(name: str, given: Matrices) -> tuple[Matrix, ...]:
    """Square matrices of one size, exact, at least one.

    >>> check_matrices("values", [[["0.5"]]])
    (Matrix([[1/2]]),)
    """
    allowed = "a list of square matrices of one size is needed, one for each head"
    found = tuple(_matrix(name, rows, allowed) for rows in check_items(given, name, allowed))
    if not found or len({form.shape for form in found}) > 1 or found[0].rows != found[0].cols:
        raise Refused(name, None, allowed)
    return found


def _matrix(name: str, rows: Rows, allowed: str) -> Matrix:
    if isinstance(rows, sp.MatrixBase):
        rows = rows.tolist()
    lines = check_rows(rows, name, allowed)
    return Matrix([[check_real(entry, name, "numbers are needed", symbols=False) for entry in line] for line in lines])


def check_unit_rows(rows: Rows, name: str = "tokens") -> Matrix:
    """Rows of length one, exact.

    >>> check_unit_rows([["0.6", "0.8"]])
    Matrix([[3/5, 4/5]])
    """
    found = _matrix(name, rows, "rows of numbers are needed, of length one")
    for row in found.tolist():
        if sp.simplify(sum(entry**2 for entry in row)) != 1:
            raise Refused(name, row, "its length must be one, exactly")
    return found


def _circle(height: int) -> Iterator[tuple[Fraction, Fraction]]:
    """Rational points of the circle, each once."""
    slopes = {Fraction(q, p) for p in range(1, height + 1) for q in range(-p, p + 1)}
    for u in sorted(slopes):
        x, y = (1 - u**2) / (1 + u**2), 2 * u / (1 + u**2)
        yield from ((x, y), (-x, y)) if x else ((x, y),)


def _float_rate(tokens: Sequence[Sequence[Fraction]], forms: list[list[list[float]]], beta: float, head: int) -> float:
    """n^3 dE_h/dt in floats."""
    rows = [[float(x) for x in token] for token in tokens]
    total = 0.0
    for x in rows:
        across = []
        for form in forms:
            pull = [0.0, 0.0]
            for y in rows:
                image = [form[i][0] * y[0] + form[i][1] * y[1] for i in range(2)]
                weight = exp(beta * (x[0] * image[0] + x[1] * image[1]))
                pull = [p + weight * z for p, z in zip(pull, image, strict=True)]
            across.append(x[0] * pull[1] - x[1] * pull[0])
        total += across[head] * sum(across)
    return total
