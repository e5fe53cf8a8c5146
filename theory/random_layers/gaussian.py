r"""Means over a standard Gaussian, and Hermite coefficients, of a function on the line, in balls.

.. math:: E f(Z) = \int f(x)\,\varphi(x)\,dx, \qquad
          c_k = E f(Z)\,\mathrm{he}_k(Z), \qquad \mathrm{he}_k = \mathrm{He}_k/\sqrt{k!}

**One mean** is integrated in balls over :math:`|x| < X`; a bound :math:`|f| \le C e^{c|x|}` encloses the rest.

**All coefficients up to a degree n** come from one trapezoidal sum of step h over :math:`|x| < X`. If f is analytic for
:math:`|\mathrm{Im}\,z| \le a`, the sum differs from the integral by at most

.. math:: \frac{2}{e^{2\pi a/h}-1} \int |F(x+ia)|\,dx + \int_{-a}^{a} |F(X+iy)| + |F(-X+iy)|\,dy, \qquad
          F = f\,\mathrm{he}_k\,\varphi,

and Mehler's sum at z and its conjugate, whose terms are all positive, bounds every Hermite polynomial at once:

.. math:: |\mathrm{he}_k(x+iy)\,\varphi(x+iy)|^2 \le \frac{q^{-k}}{2\pi\sqrt{1-q^2}}
          \exp\Big({-\frac{x^2}{1+q}} + \frac{y^2}{1-q}\Big), \qquad 0 < q < 1 .

Source: derived here; the error of the sum is that of Trefethen and Weideman (SIAM Review 56, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log, pi, sqrt

import flint
from flint import acb, arb, arb_poly

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.enclosures import _evaluate, enclose
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.random_layers.growth_bounds import growth
from gegenflow.theory.symbols import t

HEIGHTS = (4.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
"""Half-widths of strips that are tried, widest first."""
COLUMN, SMALLEST = 0.25, 0.02
"""Widths of the boxes that cover a strip, at first and at last."""
MOST_NODES, MOST_BITS = 20_000, 4000
TOO_FINE = f"its means are worked out to {MOST_BITS} bits at most; the number may be 0, or ask for fewer digits"
NOT_SMOOTH = "it must be analytic in a strip around the real line, or be made of t**n, exp, cos, sin and kinks at t = 0"


@lru_cache(maxsize=512)
def gaussian_mean(function: Expr, bits: int) -> arb:
    """A ball around the mean of a function of a standard Gaussian, to about so many bits after the point.

    >>> import sympy as sp
    >>> gaussian_mean(sp.cos(t), 60).overlaps(arb(-0.5).exp())
    True

    Raises Refused where the growth of the function is not understood.
    """
    if bits > MOST_BITS:
        raise Refused("activation", function, TOO_FINE)
    if not function.has(t):
        return enclose(function) if function else arb(0)
    with flint.ctx.workprec(bits + 16):
        bound = growth(function)
        reach = bound.rate + (2 * (bits * arb(2).log() + abs(bound.factor.log()) + bound.rate**2 / 2 + 8)).sqrt()
        end = arb(ceil(float(reach)))
        goal = arb(2) ** -(bits + 8)

        def integrand(x: acb, analytic: bool) -> acb:
            return _evaluate(function, {t: x}, analytic) * (-x * x / 2).exp()

        halves = (acb.integral(integrand, low, high, rel_tol=goal, abs_tol=goal) for low, high in ((-end, 0), (0, end)))
        inside = sum(halves, acb(0)).real / (2 * arb.pi()).sqrt()
        tail = bound.factor * (bound.rate**2 / 2).exp() * ((end - bound.rate) / arb(2).sqrt()).erfc()
        total: arb = inside + arb(0, tail.upper())
        return total


@dataclass(frozen=True)
class Strip:
    """A strip of analyticity: its half-width a, the step h, the last node count * h, the parameter q of Mehler's bound.

    The integral ends half a step beyond the last node, at X.
    """

    height: float
    step: float
    count: int
    mehler: float

    @property
    def end(self) -> arb:
        """X."""
        return (self.count + arb(0.5)) * arb(self.step)


@lru_cache(maxsize=128)
def hermite_coefficients(function: Expr, degree: int, bits: int) -> tuple[arb, ...]:
    r"""Balls around :math:`c_0, \dots, c_n`, radii about :math:`2^{-\mathrm{bits}}`.

    >>> import sympy as sp
    >>> found = hermite_coefficients(sp.exp(t), 6, 60)           # c_k = e^(1/2)/sqrt(k!)
    >>> all((c * c * int(sp.factorial(k))).overlaps(arb(1).exp()) for k, c in enumerate(found))
    True

    Raises Refused where no strip of analyticity is found.
    """
    if bits > MOST_BITS:
        raise Refused("activation", function, TOO_FINE)
    strip = _best_strip(function, degree, bits)
    with flint.ctx.workprec(64):
        error = _sum_error(function, degree, strip)
    with flint.ctx.workprec(bits + degree + 64):
        step = arb(strip.step)
        moments = _moments(function, degree, step, strip.count)
        gauss, factorial, scaled = [arb(0)] * (degree + 1), arb(1), []
        for k, moment in enumerate(moments):
            factorial = factorial * max(k, 1)
            scaled.append(moment / factorial)
        term = arb(1)
        for j in range(degree // 2 + 1):
            gauss[2 * j] = term
            term = -term / (2 * (j + 1))
        product = (arb_poly([*scaled, 1]) * arb_poly(gauss)).coeffs()[: degree + 1]
        root, found = arb(1), []
        for k, value in enumerate(product):
            root = root * arb(max(k, 1)).sqrt()
            found.append(value * root + arb(0, error.upper()))
    return tuple(found)


def _moments(function: Expr, degree: int, step: arb, count: int) -> list[arb]:
    r"""Trapezoidal sums of :math:`f x^k \varphi`: one product and one sum a node and degree."""
    moments = [arb(0)] * (degree + 1)
    scale = step / (2 * arb.pi()).sqrt()
    for j in range(count + 1):
        x = j * step
        weight = scale * (-x * x / 2).exp()
        values = [_evaluate(function, {t: acb(sign * x)}, False).real for sign in ((1, -1) if j else (1,))]
        parts = [weight * sum(values, arb(0)), weight * (values[0] - values[-1])]
        power = arb(1)
        silent = parts[1].is_zero(), parts[0].is_zero()
        for k in range(degree + 1):
            if not silent[1 - k % 2]:
                moments[k] = moments[k] + parts[k % 2] * power
            power = power * x
    return moments


def _best_strip(function: Expr, degree: int, bits: int) -> Strip:
    """The strip that takes the fewest nodes."""
    found: list[tuple[float, Strip]] = []
    with flint.ctx.workprec(64):
        bound = growth(function)
        for height in HEIGHTS:
            gap = min(0.5, height / sqrt(max(degree, 1)))
            aim = (bits + 8) * log(2) - degree * log(1 - gap) / 2 + abs(float(bound.factor.log()))
            rate = float(bound.rate)
            reach = ceil(2 * rate + sqrt(2 * (2 - gap) * (aim + 2 * rate * rate + height**2 / (2 * gap) + 10)))
            top = _line(function, height, reach, 2 - gap)
            if top is None or not _is_analytic(function, height, reach + 1):
                continue
            size = max(float(abs(top).log()) if top > 0 else 0.0, 0.0)
            step = 2 * pi * height / (aim + height**2 / (2 * gap) + size + 3)
            found.append((reach / step, Strip(height, step, ceil(reach / step), 1 - gap)))
            if len(found) > 1 and found[-1][0] > found[-2][0]:
                break
    if not found or min(nodes for nodes, _ in found) > MOST_NODES:
        raise Refused("activation", function, NOT_SMOOTH)
    return min(found, key=lambda one: one[0])[1]


def _line(function: Expr, height: float, reach: float, spread: float) -> arb | None:
    r"""A bound on :math:`\int_{-X}^X |f(x+ia)| e^{-x^2/(2v)} dx`, v the ``spread``; None where f is not finite."""
    total = arb(0)
    for j in range(ceil(reach / COLUMN)):
        for sign in (1, -1):
            box = acb(arb(sign * (j + 0.5) * COLUMN, COLUMN / 2), arb(height))
            value = abs(_evaluate(function, {t: box}, False)).upper()
            if not value.is_finite():
                return None
            total += value * COLUMN * (-(arb(j * COLUMN) ** 2) / (2 * spread)).exp()
    return total.upper()


def _is_analytic(function: Expr, height: float, reach: float) -> bool:
    """Whether boxes that cover the strip prove it, each halved as often as need be."""
    boxes = [(j * COLUMN, COLUMN, 0.0, height) for j in range(-ceil(reach / COLUMN) - 1, ceil(reach / COLUMN) + 1)]
    while boxes:
        left, width, low, tall = boxes.pop()
        box = acb(arb(left + width / 2, width / 2 * 1.001), arb(low + tall / 2, tall / 2 * 1.001))
        if _evaluate(function, {t: box}, True).is_finite():
            continue
        if max(width, tall) < SMALLEST:
            return False
        if tall >= width:
            boxes += [(left, width, low, tall / 2), (left, width, low + tall / 2, tall / 2)]
        else:
            boxes += [(left, width / 2, low, tall), (left + width / 2, width / 2, low, tall)]
    return True


def _sum_error(function: Expr, degree: int, strip: Strip) -> arb:
    """The bound at the head of this module, and what lies beyond the reach."""
    q, a, end = arb(strip.mehler), arb(strip.height), strip.end
    spread = 1 + q
    common = q ** (-arb(degree) / 2) / ((2 * arb.pi()).sqrt() * (1 - q * q) ** arb(0.25))
    lift = (a * a / (2 * (1 - q))).exp()
    top = _line(function, strip.height, float(end.upper()), float(spread.upper()))
    sides = arb(0)
    for sign in (1, -1):
        pieces = max(ceil(strip.height / 0.05), 1)
        for piece in range(pieces):
            middle, half = (piece + 0.5) * strip.height / pieces, strip.height / pieces / 2 * 1.001
            value = abs(_evaluate(function, {t: acb(sign * end, arb(middle, half))}, True)).upper()
            sides += 4 * half * value
    sides *= (-end * end / (2 * spread)).exp()
    bound = growth(function)
    shift = (end - spread * bound.rate) / (2 * spread).sqrt()
    tail = 2 * bound.factor * (arb.pi() * spread / 2).sqrt() * (spread * bound.rate**2 / 2).exp() * shift.erfc()
    if top is None or not shift > 0:
        raise Refused("activation", function, NOT_SMOOTH)
    total: arb = common * (lift * (2 * top / ((2 * arb.pi() * a / arb(strip.step)).exp() - 1) + sides) + tail)
    return total
