r"""Two tokens under random layers of any kind: one diffusion, in the coordinate in which its noise has no ends.

In :math:`y = {\rm artanh}\, r` the overlaps of all systems of this room have the generator

.. math:: \frac{1}{w}\Big[\partial_y^2 + \big(\tanh y + (d-2)\,h\big)\,\partial_y\Big]

with h and w functions of r = tanh y, analytic for :math:`|\mathrm{Im}\,y| < \pi/4`, where |r| < 1. So the scale and the
speed densities are :math:`S = e^{-(d-2)I}/\cosh y` and :math:`m = w/S`, :math:`I = \int h\,dy`.

They are integrated panel by panel: Taylor series at the centre of a panel, of which each coefficient is a ball, and a
remainder by Cauchy's estimate from a bound on the circle of three times the radius. Source: derived here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, log
from typing import Protocol

import flint
from flint import arb, arb_series

RADIUS, SHARE = 0.6, 3
"""The radius of the circle of a bound, below pi/4, and how many times that of the panel it is."""
SPARE = 0.3
"""Share of the precision that the growth of the integrand on the circle may cost."""


class Law(Protocol):
    """h and w as Taylor series at a real y, with bounds on a circle around it, and at the ends of the line."""

    def series(self, y: arb, radius: float, length: int) -> tuple[arb_series, arb_series]:
        """Taylor series of h and w."""

    def reach(self, y: arb) -> float:
        """A radius, at most 0.6, on which series of balls lose little."""

    def sizes(self, y: arb, radius: float) -> tuple[arb, arb]:
        """Bounds on abs(h) and abs(w) in the disc."""

    def end(self, sign: int) -> tuple[arb, arb]:
        """h at r = sign, and a bound on abs(dh/dr) there and between it and 0."""


@contextmanager
def length_of_series(length: int) -> Iterator[None]:
    """Series have so many terms inside.

    >>> with length_of_series(4):
    ...     len(arb_series([0, 1]).exp().coeffs())
    4
    """
    before, flint.ctx.cap = flint.ctx.cap, length
    try:
        yield
    finally:
        flint.ctx.cap = before


@dataclass(frozen=True)
class Panel:
    """Taylor series on one panel, about its centre: I (0 at the left end), 1/cosh, cosh, w, and what bounds them."""

    half: arb
    radius: arb
    exponent: arb_series
    rise: arb
    width: arb
    hyperbolic: tuple[arb_series, arb_series]
    speed: arb_series
    sizes: tuple[arb, arb, arb, arb]

    def integral(self, integrand: arb_series, size: arb) -> arb:
        """The integral over the panel of a function of this series, bounded by ``size`` in the disc."""
        whole = integrand.integral()
        inside = _at(whole, self.half) - _at(whole, -self.half)
        total: arb = inside + self.remainder(size)
        return total

    def remainder(self, size: arb) -> arb:
        """A bound on what an integral over the panel takes from the coefficients that are left out."""
        ratio = self.half / self.radius
        return arb(0, (2 * self.half * size * ratio**flint.ctx.cap / (1 - ratio)).upper())


def panel_from(law: Law, order: arb, sign: int, left: arb, most: arb | None = None) -> Panel:
    """The next panel of the line from ``left`` on, in y for ``sign`` 1 and in -y for -1."""
    bits, radius = flint.ctx.prec, law.reach(sign * left)
    size, _ = law.sizes(sign * (left + radius / SHARE), radius)
    cost = float((abs(order) * size).upper()) * 2 * radius / log(2)
    if cost > SPARE * bits:
        radius *= SPARE * bits / cost
    half = arb(radius / SHARE)
    if most is not None and not 2 * half < most - left:
        half = (most - left) / 2
    centre = left + half
    size, speed_size = law.sizes(sign * centre, radius)
    h, w = law.series(sign * centre, radius, flint.ctx.cap)
    if sign < 0:
        h, w = _mirrored(h), _mirrored(w)
    growth = arb_series([centre, 1]).exp()
    cosh = (growth + 1 / growth) / 2
    primitive = h.integral()
    start = _at(primitive, -half)
    reach = arb(radius)
    far = abs(centre).lower() - reach
    least = (reach.cos() ** 2 + (far.sinh() ** 2 if far > 0 else arb(0))).sqrt()
    most_cosh = (abs(centre) + reach).cosh()
    lost = arb(0, (2 * half * size * (half / reach) ** flint.ctx.cap / (1 - half / reach)).upper())
    return Panel(
        half,
        reach,
        primitive - start,
        _at(primitive, half) - start + lost,
        (abs(order) * size * 2 * reach).exp(),
        (1 / cosh, cosh),
        w,
        (size, 1 / least, most_cosh, speed_size),
    )


def _at(series: arb_series, point: arb) -> arb:
    total = arb(0)
    for coefficient in reversed(series.coeffs()):
        total = total * point + coefficient
    return total


def _mirrored(series: arb_series) -> arb_series:
    return arb_series([(-1) ** j * c for j, c in enumerate(series.coeffs())])


def terms_for(bits: int) -> int:
    """Terms of a series that reach a precision, given what the circle may cost."""
    return ceil((1 + 2 * SPARE) * bits / log(SHARE, 2)) + 8


def scale_beyond(law: Law, order: arb, start: arb, sign: int) -> arb:
    r"""The integral of S from ``start`` to the end of the line on the side of ``sign``, with I = 0 at the start.

    Ended by :math:`h = h_{\pm1} + O(1 - |r|)` and :math:`S \sim e^{-|y|(1 \pm (d-2)h_{\pm1})}`.
    """
    bits = flint.ctx.prec
    n, limit = sign * order, law.end(sign)
    decay = 1 + n * limit[0]
    with length_of_series(terms_for(bits)):
        total, exponent, y = arb(0), arb(0), sign * start
        while True:
            tail = _tail(n, limit, decay, y, exponent)
            near = tail.rad() < (total + abs(tail)).lower() * arb(2) ** (8 - bits)
            if tail.is_finite() and (near or limit[1] * abs(n) * (-2 * y).exp() < arb(2) ** -(2 * bits)):
                return total + tail
            panel = panel_from(law, n, sign, y)
            density = (-n * panel.exponent).exp() * panel.hyperbolic[0]
            size = panel.width * panel.sizes[1]
            total += (-n * exponent).exp() * panel.integral(density, size)
            exponent, y = exponent + panel.rise, y + 2 * panel.half


def _tail(n: arb, limit: tuple[arb, arb], decay: arb, y: arb, exponent: arb) -> arb:
    """What is left beyond y > 0; not finite before."""
    if not y > 1:
        return arb("nan")
    gap = (-2 * y).exp()
    shift = arb(0, (abs(n) * limit[1] * gap).upper()).exp()
    main = 2 * (-y - n * exponent).exp() / decay * shift / (1 + arb(0.5, 0.5) * gap)
    crude = 2 * (-y - n * exponent).exp()
    if n > 0 and limit[0] >= 0 and crude < main.rad():
        return arb(0.5, 0.5) * crude
    result: arb = main
    return result


def integral_of_h(law: Law, start: arb, end: arb) -> arb:
    """The integral of h between two points of the line."""
    if end < start:
        return -integral_of_h(law, end, start)
    with length_of_series(terms_for(flint.ctx.prec)):
        total, y = arb(0), start
        while y is not end:
            panel = panel_from(law, arb(0), 1, y, end)
            total += panel.rise
            y = _beyond(y, panel, end)
    return total


def _beyond(y: arb, panel: Panel, end: arb) -> arb:
    """Where the panel ends: exactly at the end if it was cut to it."""
    right = y + 2 * panel.half
    return end if right.overlaps(end) else right


@dataclass(frozen=True)
class Passage:
    """Integrals from the first point on: of h, of S, of m, and of S times the integral of m."""

    exponent: arb
    scale: arb
    speed: arb
    both: arb


def passages(law: Law, order: arb, points: Sequence[arb], speed: arb | None = None) -> list[Passage]:
    """The integrals at each point of an increasing list; at the first I = 0, and that of m is ``speed``, or 0."""
    found = [Passage(arb(0), arb(0), arb(0) if speed is None else speed, arb(0))]
    with length_of_series(terms_for(flint.ctx.prec)):
        y, now = points[0], found[0]
        for point in points[1:]:
            while y is not point:
                panel = panel_from(law, order, 1, y, point)
                now = _passed(panel, order, now)
                y = _beyond(y, panel, point)
            found.append(now)
    return found


def _passed(panel: Panel, n: arb, now: Passage) -> Passage:
    sizes, weight = panel.sizes, (n * now.exponent).exp()
    falling = (-n * panel.exponent).exp() * panel.hyperbolic[0] / weight
    rising = (n * panel.exponent).exp() * panel.hyperbolic[1] * panel.speed * weight
    scale_size, speed_size = panel.width * sizes[1] / weight, panel.width * sizes[2] * sizes[3] * weight
    inside = rising.integral()
    speed = inside - _at(inside, -panel.half) + now.speed
    reach = abs(now.speed) + 2 * panel.radius * speed_size
    both = panel.integral(falling * speed, scale_size * reach)
    return Passage(
        now.exponent + panel.rise,
        now.scale + panel.integral(falling, scale_size),
        now.speed + panel.integral(rising, speed_size),
        now.both + both,
    )


def exit_time(law: Law, order: arb, low: arb, start: arb, high: arb) -> arb:
    """The mean time to leave (low, high) in y."""
    _, here, end = passages(law, order, [low, start, high])
    time: arb = here.scale * end.both / end.scale - here.both
    return time
