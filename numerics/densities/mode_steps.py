r"""One step in time of modes: explicit, or exponential where they also decay at known rates.

.. math:: \dot a = N(a) - \Lambda a, \qquad \varphi_0(z) = e^z, \quad
          \varphi_{k+1}(z) = \frac{\varphi_k(z) - 1/k!}{z}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, hypot

import numpy as np

from gegenflow.numerics.integrators.tableaus import ORDER_8, interpolating_factors
from gegenflow.numerics.tokens.geometry import Array

EXPLICIT_ORDER, EXPONENTIAL_ORDER = 8, 4
LARGEST_TERMS = 1 / 64, 3**3 * 4**4 / 7**7  # of an interpolant: x^3 (1 - x)^3 and x^4 (1 - x)^3 at their maxima
SERIES = 20  # terms of phi that give it to rounding up to |z| = 1

Drift = Callable[[Array], Array]

Between = Callable[[float], Array]
"""The state, shape=[modes], a fraction in [0, 1] of a step ahead of its start."""


@dataclass(frozen=True, eq=False)
class ModeStep:
    """A step tried: the state after it, the drift N at its stages, an estimate of the error of each mode, and its size.

    Arrays have shape=[modes], ``slopes`` shape=[stages, modes], the last at the state after it.  ``error`` is the norm
    that the step control goes by, of the same order as the step or one less; ``estimate`` may be of a lower order and
    larger.  ``step`` is its length in time.
    """

    state: Array
    slopes: Array
    estimate: Array
    error: float
    step: float

    @property
    def slope(self) -> Array:
        """The drift at the end, shape=[modes]."""
        last: Array = self.slopes[-1]
        return last


def explicit_step(drift: Drift, state: Array, slope: Array, step: float) -> ModeStep:
    r"""One step of order 8 of :math:`\dot a = N(a)`; ``slope`` is N at ``state``, shape=[modes].

    The estimate is :math:`e_5`, of order 5; the error is :math:`e_5^2 / \sqrt{e_5^2 + e_3^2/100}` of the norms over all
    modes, of order 8.

    >>> end = explicit_step(lambda a: a, np.ones(1), np.ones(1), 0.25)
    >>> bool(abs(end.state[0] - np.exp(0.25)) < 1e-12), bool(end.error < 1e-11)
    (True, True)

    Raises FloatingPointError where the drift does.  Source: Hairer, Norsett, Wanner, Solving ODEs I, II.5 and II.10.
    """
    slopes = np.empty((len(ORDER_8.rows) + 1, len(state)))
    slopes[0] = slope
    for stage, row in enumerate(ORDER_8.rows, 1):
        trial = state + step * (row.factors @ slopes[row.stages])
        slopes[stage] = drift(trial)
    fifth, third = step * (ORDER_8.errors.factors @ slopes[ORDER_8.errors.stages])
    main, other = float(np.linalg.norm(fifth)), float(np.linalg.norm(third))
    return ModeStep(trial, slopes, fifth, main * (main / hypot(main, 0.1 * other)) if main > 0 else 0.0, step)


def exponential_step(drift: Drift, decay: Array, state: Array, slope: Array, step: float) -> ModeStep:
    r"""One step of order 4 of :math:`\dot a = N(a) - \Lambda a`, ``decay`` the diagonal of Lambda, shape=[modes].

    With :math:`z = -h\Lambda` and :math:`\varphi_k` at z, :math:`\hat\varphi_k` at z/2:

    .. math:: b &= \hat\varphi_0 a + \tfrac h2 \hat\varphi_1 N(a), \qquad
              c = \hat\varphi_0 a + \tfrac h2 \hat\varphi_1 N(a) + h\hat\varphi_2 (N(b) - N(a)), \\
              d &= \varphi_0 a + h\varphi_1 N(a) + 2h\varphi_2 (N(c) - N(a)), \\
              a_1 &= \varphi_0 a + h\varphi_1 N(a) + h\varphi_2(-3N(a) + 2N(b) + 2N(c) - N(d))
                     + 4h\varphi_3(N(a) - N(b) - N(c) + N(d))

    States at rest stay at rest.  The estimate, of order 3, is the change when :math:`N(a_1)` replaces :math:`N(d)`.

    >>> drift = lambda a: np.full(1, 50.0)  # a' = 50 - 100 a, towards 1/2
    >>> end = exponential_step(drift, np.array([100.0]), np.zeros(1), drift(None), 0.02)
    >>> bool(np.isclose(end.state[0], 0.5 * (1 - np.exp(-2)), rtol=1e-14)), end.error
    (True, 0.0)

    Raises FloatingPointError where the drift does.  Source: Krogstad, J. Comput. Phys. 203 (2005); the error estimate
    is derived here.
    """
    half, whole = phi(-decay * (step / 2)), phi(-decay * step)
    base = half[0] * state + step / 2 * half[1] * slope
    first = drift(base)
    second = drift(base + step * half[2] * (first - slope))
    base = whole[0] * state + step * whole[1] * slope
    third = drift(base + 2 * step * whole[2] * (second - slope))
    middle = first + second
    state = base + step * (whole[2] * (2 * middle - 3 * slope - third) + 4 * whole[3] * (slope - middle + third))
    last = drift(state)
    estimate = step * (4 * whole[3] - whole[2]) * (last - third)
    slopes = np.array([slope, first, second, third, last])
    return ModeStep(state, slopes, estimate, float(np.linalg.norm(estimate)), step)


def explicit_between(drift: Drift, state: Array, tried: ModeStep, tolerance: float) -> Between:
    r"""States within a step of :func:`explicit_step` from ``state``, by its interpolant of degree 7: three more drifts.

    Their error, of order :math:`h^8`, is about a ninth of the last term of the interpolant, or half its square over the
    term before where that is less: so measured in steps of densities up to where their degrees end.  Where that is
    more than five times the ``tolerance`` of a step, each state is the end of a step of its own.

    >>> start, slope = np.ones(1), np.ones(1)
    >>> between = explicit_between(lambda a: a, start, explicit_step(lambda a: a, start, slope, 0.25), 1e-9)
    >>> bool(abs(between(0.4)[0] - np.exp(0.1)) < 1e-11)
    True

    Raises FloatingPointError where the drift does.  Source: Hairer, Norsett, Wanner, Solving ODEs I, II.6.
    """
    slopes = np.empty((ORDER_8.interpolant.shape[1], len(state)))
    slopes[: len(tried.slopes)] = tried.slopes
    for stage, row in enumerate(ORDER_8.extra, len(tried.slopes)):
        slopes[stage] = drift(state + tried.step * (row.factors @ slopes[row.stages]))
    before, last = tried.step * np.array(LARGEST_TERMS) * np.linalg.norm(ORDER_8.interpolant[-2:] @ slopes, axis=1)
    if last * min(1 / 9, last / (2 * before) if before > 0 else 1.0) > 5 * tolerance:
        return lambda fraction: explicit_step(drift, state, tried.slopes[0], fraction * tried.step).state
    return lambda fraction: state + tried.step * (interpolating_factors(ORDER_8, fraction) @ slopes)


def exponential_between(drift: Drift, decay: Array, state: Array, tried: ModeStep) -> Between:
    r"""States within a step of :func:`exponential_step`, to the order of the step and by two more drifts.

    .. math:: a(\vartheta h) = e^{\vartheta z} a
              + h \sum_{k<4} k!\,\vartheta^{k+1} \varphi_{k+1}(\vartheta z)\,p_k, \qquad
              p(\vartheta) = \sum_{k<4} p_k \vartheta^k

    is exact where N is the polynomial p.  The quadratic one through N(a), the mean of N(b) and N(c), and N(a_1) gives
    states at :math:`\vartheta = 1/3, 2/3` with errors of :math:`h^4`; the cubic one through N at these and at both ends
    gives all states with errors of :math:`h^5`.

    >>> drift, decay, state = lambda a: a, np.array([3.0]), np.array([1.0])  # a' = a - 3 a
    >>> tried = exponential_step(drift, decay, state, drift(state), 0.02)
    >>> bool(abs(exponential_between(drift, decay, state, tried)(0.4)[0] - np.exp(-0.016)) < 1e-10)
    True

    Raises FloatingPointError where the drift does.  Source: derived here.
    """
    first, second, third, _, last = tried.slopes

    def along(nodes: list[float], slopes: list[Array]) -> Between:
        series = np.linalg.solve(np.vander(nodes, increasing=True), slopes)

        def at(fraction: float) -> Array:
            found, *rest = phi(-decay * (tried.step * fraction), len(nodes))
            moved: Array = found * state
            for k, (factor, part) in enumerate(zip(rest, series, strict=True)):
                moved += tried.step * factorial(k) * fraction ** (k + 1) * factor * part
            return moved

        return at

    coarse = along([0, 1 / 2, 1], [first, (second + third) / 2, last])
    inner = [drift(coarse(place)) for place in (1 / 3, 2 / 3)]
    return along([0, 1 / 3, 2 / 3, 1], [first, *inner, last])


def phi(z: Array, last: int = 3) -> Array:
    r"""The functions :math:`\varphi_0, \dots, \varphi_n` at z <= 0, n = ``last``, shape=[n + 1, modes].

    >>> bool(np.allclose(phi(np.array([0.0]))[:, 0], [1, 1, 1 / 2, 1 / 6], rtol=1e-15))
    True
    """
    values = np.empty((last + 1, len(z)))
    values[0] = np.exp(z)
    near = np.abs(z) < 1
    far, small = np.where(near, -1.0, z), np.where(near, z, 0.0)
    for k in range(last):
        values[k + 1] = (values[k] - 1 / factorial(k)) / far
    top = np.zeros(len(z))
    for n in range(SERIES, -1, -1):
        top = top * small + 1 / factorial(n + last)
    for k in range(last, 0, -1):
        values[k] = np.where(near, top, values[k])
        top = top * small + 1 / factorial(k - 1)
    return values
