r"""Where tokens go at zero temperature: a linear flow, seen on the sphere.

As :math:`\beta \to \infty` softmax attends to the :math:`y` of largest score :math:`\langle x, By\rangle` alone, which
is :math:`B^Tx/|B^Tx|` where tokens are dense, so that SA with values V and scores :math:`B = Q^TK` becomes

.. math:: \dot x = P_x \frac{V B^T x}{|B^T x|}, \qquad
          x(t) = \frac{z(\tau)}{|z(\tau)|}, \quad \frac{dz}{d\tau} = A z, \quad A = V B^T, \quad dt = |B^T x|\,d\tau .

Let :math:`\alpha` be the largest real part of an eigenvalue of A, m the size of the largest Jordan block of the
eigenvalues :math:`\lambda` on that line, :math:`P_\lambda` their spectral projections and
:math:`N_\lambda = (A - \lambda)P_\lambda`. Wherever :math:`\Pi x \ne 0`, that is for almost every start,

.. math:: e^{\tau A} x = \frac{\tau^{m-1}}{(m-1)!}\, e^{\tau A}\,\Pi x\,(1 + \varepsilon(\tau)), \qquad
          \Pi = \sum_{\operatorname{Re}\lambda = \alpha} N_\lambda^{m-1} P_\lambda ,

with :math:`\varepsilon` of order :math:`e^{-c\tau}` for m = 1, up to powers of :math:`\tau` if blocks of the next
eigenvalues are not simple, where c is the gap between :math:`\alpha` and the next real part, and of order
:math:`1/\tau` for m > 1. With the minimal polynomial :math:`p`, :math:`N_\lambda^{m-1}P_\lambda` is
:math:`q(A)/q^{(m-1)}(\lambda) \cdot (m-1)!` for :math:`q(x) = p(x)/(x - \lambda)`: both vanish on every other
generalised eigenspace. All is found in exact arithmetic, ties of real parts included.

Source: arXiv 2605.10931 for the limit; the cases, the projection and the error are derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import flint
import sympy as sp
from flint import acb, arb, fmpq, fmpq_mat, fmpq_poly

from gegenflow.theory.exact.arguments import Expr, check_rational
from gegenflow.theory.exact.enclosures import enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import brief, record_html

MATRIX = "a square matrix of finite rational numbers is needed, at least 2 x 2"
FIRST_PRECISION, LAST_PRECISION = 128, 2**16


@dataclass(frozen=True)
class LimitMap:
    r"""Where the flow :math:`\dot z = Az` sends almost every direction.

    :param kind: "points" (:math:`\pm u`), "sphere" (each direction keeps its own limit on a sphere of ``rank``
        dimensions), "circle" (a great circle, run through once in :math:`2\pi/|\operatorname{Im}\lambda|` units of
        :math:`\tau`) or "torus" (several frequencies, 0 among them or not)
    :param eigenvalues: those of largest real part
    :param index: m, the size of their largest Jordan block, >= 1
    :param gap: c, the distance to the next real part, infinite if there is none
    :param rank: that of the projection
    :param projection: the matrix :math:`\Pi`, shape (dim, dim)

    Source: arXiv 2605.10931, derived here.

    See also :func:`.limit_map`.
    """

    kind: str
    eigenvalues: tuple[Expr, ...]
    index: int
    gap: Expr
    rank: int
    projection: sp.ImmutableMatrix

    _repr_html_ = record_html

    def __str__(self) -> str:
        facts = ", ".join(f"{part.name}={getattr(self, part.name)!r}" for part in fields(self))
        return f"LimitMap({facts})"

    def __repr__(self) -> str:
        return brief(str(self))


def limit_map(values: Any, form: Any = None) -> LimitMap:
    r"""The limit of SA at zero temperature for values V and scores :math:`\langle x, By\rangle`.

    .. math:: x(t) \to \frac{\Pi x}{|\Pi x|} \ \text{(points, sphere)}, \qquad
              \Big|x(\tau) - \frac{e^{\tau A}\,\Pi x}{|e^{\tau A}\,\Pi x|}\Big| \to 0 \ \text{(circle, torus)}, \qquad
              A = V B^T

    like :math:`e^{-c\tau}` for ``index`` 1 and :math:`1/\tau` above; :math:`dt = |B^Tx|\,d\tau`, so that the rate of
    approach to a point u is :math:`c/|B^Tu|` in the time t of SA. A simple real eigenvalue has
    :math:`\Pi = u w^T/\langle w, u\rangle`: the sign of the pairing with the left eigenvector w chooses the point.

    :param values: V, shape (dim, dim), of rational numbers, decimals as text
    :param form: B, shape (dim, dim), as ``values``, invertible; None (default): the identity

    >>> limit_map([[2, 1], [1, 1]])
    LimitMap(kind='points', eigenvalues=(sqrt(5)/2 + 3/2,), index=1, gap=sqrt(5), rank=1, projection=Matrix([
    [sqrt(5)/10 + 1/2,        sqrt(5)/5],
    [       sqrt(5)/5, 1/2 - sqrt(5)/10]]))
    >>> jordan = limit_map([[1, 1, 0], [0, 1, 0], [0, 0, "0.5"]])                  # the top of the chain
    >>> jordan.kind, jordan.index, jordan.projection * sp.Matrix([3, -2, 1]), jordan.gap
    ('points', 2, Matrix([
    [-2],
    [ 0],
    [ 0]]), 1/2)
    >>> spiral = limit_map([[1, 0, 0], [0, 1, 0], [0, 0, "0.5"]], [[1, 2, 0], [-2, 1, 0], [0, 0, 1]])
    >>> spiral.kind, spiral.eigenvalues, spiral.gap, spiral.rank
    ('circle', (1 - 2*I, 1 + 2*I), 1/2, 2)

    Raises ValueError for matrices that are not square, of different size or not rational, and a form that is singular.
    Source: arXiv 2605.10931 for a dominant eigenspace; the other cases are derived here.

    See also :class:`.ProjectionLaw`, :func:`.spectral_selection.stability`.
    """
    matrix = _matrix("values", values)
    if form is not None:
        scores = _matrix("form", form)
        if scores.nrows() != matrix.nrows():
            raise Refused("form", form, f"it must have the size {matrix.nrows()} of values")
        if scores.rank() < scores.nrows():
            raise Refused("form", form, "it must be invertible, as tokens with B^T x = 0 attend to all alike")
        matrix *= scores.transpose()
    minimal = matrix.minpoly()
    powers = {tuple(factor.coeffs()): power for factor, power in minimal.factor()[1]}
    lines = _lines(matrix, [fmpq_poly(list(factor)) for factor in powers])
    index = max(powers[tuple(factor.coeffs())] for factor, _ in lines[0])
    first = [(factor, ball) for factor, ball in lines[0] if powers[tuple(factor.coeffs())] == index]
    top = [(factor, _exact(factor, ball)) for factor, ball in first]
    size = matrix.nrows()
    projection, rank = sp.zeros(size, size), 0
    for factor, root in top:
        entries = _chain_top(matrix, minimal, factor, index)
        projection += sp.Matrix(size, size, [_real_value(entry, root) for entry in entries])
        rank += _value(minimal // factor, matrix).rank() // factor.degree()
    upwards = sorted(range(len(top)), key=lambda n: float(first[n][1].imag))
    eigenvalues = tuple(top[n][1] for n in upwards)
    fronts = [top[0][1], *(_exact(*line[0]) for line in lines[1:2])]
    reals = [_real_part(root, root) for root in fronts]
    gap = reals[0] - reals[1] if len(lines) > 1 else sp.oo
    return LimitMap(_kind(eigenvalues, rank), eigenvalues, index, gap, rank, sp.ImmutableMatrix(projection))


def _kind(eigenvalues: tuple[Expr, ...], rank: int) -> str:
    if len(eigenvalues) == 1:
        return "points" if rank == 1 else "sphere"
    return "circle" if len(eigenvalues) == 2 and all(not root.is_real for root in eigenvalues) else "torus"


def _matrix(name: str, rows: Any) -> fmpq_mat:
    rows = rows.tolist() if hasattr(rows, "tolist") else rows
    size = len(rows) if isinstance(rows, Sequence) else 0
    if size < 2 or any(not isinstance(row, Sequence) or len(row) != size for row in rows):
        raise Refused(name, rows, MATRIX)
    return fmpq_mat([[check_rational(entry, f"{name} entry", MATRIX) for entry in row] for row in rows])


def _value(polynomial: fmpq_poly, matrix: fmpq_mat) -> fmpq_mat:
    """The polynomial of the matrix."""
    value = fmpq_mat(size := matrix.nrows(), size)
    for coefficient in reversed(polynomial.coeffs()):
        value = value * matrix + _scalar(coefficient, size)
    return value


def _scalar(number: fmpq, size: int) -> fmpq_mat:
    return fmpq_mat([[number * (i == j) for j in range(size)] for i in range(size)])


def _chain_top(matrix: fmpq_mat, minimal: fmpq_poly, factor: fmpq_poly, index: int) -> list[fmpq_poly]:
    """The entries of N^(m-1) P, by rows, as polynomials in the eigenvalue, a root of the irreducible factor.

    With p the minimal polynomial, (p(X) - p(x))/(X - x) at X = A has the coefficients M_j of x^j, by Horner's rule.
    """
    size, coefficients = matrix.nrows(), minimal.coeffs()
    horner = [_scalar(coefficients[-1], size)]
    for coefficient in reversed(coefficients[1:-1]):
        horner.append(matrix * horner[-1] + _scalar(coefficient, size))
    normaliser = minimal
    for order in range(1, index + 1):
        normaliser = normaliser.derivative() / order
    unit, inverse, _ = (normaliser % factor).xgcd(factor)
    inverse /= unit
    horner.reverse()
    return [fmpq_poly([term[i, j] for term in horner]) * inverse % factor for i in range(size) for j in range(size)]


def _real_value(polynomial: fmpq_poly, root: Expr) -> Expr:
    """The real part of the polynomial at an eigenvalue: those of a conjugate pair add up to it twice."""
    return _real_part(sp.expand(sum(_rational(c) * root**n for n, c in enumerate(polynomial.coeffs()))), root)


def _real_part(value: Expr, root: Expr) -> Expr:
    """The real part of a rational polynomial in a root; as it stands where the root has no radicals."""
    return value if root.is_real else sp.re(value, evaluate=not isinstance(root, sp.CRootOf))


def _rational(number: fmpq) -> sp.Rational:
    return sp.Rational(int(number.p), int(number.q))


def _lines(matrix: fmpq_mat, factors: list[fmpq_poly]) -> list[list[tuple[fmpq_poly, acb]]]:
    """Eigenvalues with their irreducible factors, grouped by their real part, the largest first.

    Twice a real part is a real eigenvalue of the Kronecker sum of the matrix with itself: balls that meet one and the
    same of its isolated real roots have equal real parts.
    """
    size = matrix.nrows()
    both = [[(a, b) for a in range(size) for b in range(size)]] * 2
    sums = fmpq_mat([[matrix[a, c] * (b == e) + matrix[b, e] * (a == c) for c, e in both[1]] for a, b in both[0]])
    polynomial, precision = sums.charpoly().numer(), FIRST_PRECISION
    while precision <= LAST_PRECISION:
        with flint.ctx.workprec(precision):
            doubles = [ball.real for ball in _roots(polynomial) if ball.imag == 0]
            roots = [(factor, ball) for factor in factors for ball in _roots(factor.numer())]
            places = [[n for n, double in enumerate(doubles) if double.overlaps(2 * ball.real)] for _, ball in roots]
        if all(len(place) == 1 for place in places):
            order = sorted({place[0] for place in places}, key=lambda n: arb(doubles[n].mid()), reverse=True)
            return [[pair for pair, place in zip(roots, places, strict=True) if place == [n]] for n in order]
        precision *= 2
    raise Refused("values", None, "real parts of eigenvalues are too close to be told apart")


def _roots(polynomial: Any) -> list[acb]:
    """All complex roots, in disjoint balls."""
    return [ball for ball, _ in polynomial.complex_roots()]


def _exact(factor: fmpq_poly, ball: acb) -> Expr:
    """The root of the irreducible factor in the ball, in radicals up to degree 2, told from the others by enclosure."""
    polynomial = sp.Poly([_rational(c) for c in reversed(factor.coeffs())], sp.Symbol("x"))
    if factor.degree() <= 2:
        return _enclosed(polynomial.all_roots(), ball)
    balls = _roots(factor.numer())
    if ball.imag == 0:
        below = sum(bool(other.imag == 0 and other.real < ball.real) for other in balls)
        return sp.CRootOf(polynomial, below)
    reals = sum(bool(other.imag == 0) for other in balls)
    return _isolated([sp.CRootOf(polynomial, n) for n in range(reals, len(balls))], factor, ball)


def _enclosed(roots: list[Expr], ball: acb) -> Expr:
    """The one of a few roots in radicals that is in the ball."""
    precision = FIRST_PRECISION
    while len(roots) > 1 and precision <= LAST_PRECISION:
        with flint.ctx.workprec(precision):
            parts = [[enclose(part) for part in root.as_real_imag()] for root in roots]
        near = [ball.real.overlaps(re) and ball.imag.overlaps(im) for re, im in parts]
        roots = [root for root, inside in zip(roots, near, strict=True) if inside]
        precision *= 2
    return roots[0]


def _isolated(roots: list[Expr], factor: fmpq_poly, ball: acb) -> Expr:
    """The one of the complex roots of a factor that is in the ball, told by the rectangles that isolate them.

    The ball is narrowed as well as the rectangles: roots may be much closer to each other than it is wide.
    """
    bare = [root.as_coeff_Mul() for root in roots]
    places = [root._get_interval() for _, root in bare]
    precision = FIRST_PRECISION
    while len(roots) > 1:
        with flint.ctx.workprec(precision):
            finer = [root for root in _roots(factor.numer()) if root.overlaps(ball)]
            ball = finer[0] if len(finer) == 1 else ball
            near = [_meets(place, ball / _rational_of(scale)) for (scale, _), place in zip(bare, places, strict=True)]
        roots, bare, places = (
            [x for x, inside in zip(xs, near, strict=True) if inside] for xs in (roots, bare, places)
        )
        places = [place.refine() for place in places] if len(roots) > 1 else places
        precision *= 2
    return roots[0]


def _meets(place: Any, ball: acb) -> bool:
    """Whether a ball meets a rectangle."""
    sides = (place.ax, place.bx, ball.real), (place.ay, place.by, ball.imag)
    return not any(part < _rational_of(low) or part > _rational_of(high) for low, high, part in sides)


def _rational_of(number: Any) -> fmpq:
    """A rational number of sympy, or of the field that it computes in, as one of flint."""
    return fmpq(int(number.numerator), int(number.denominator))
