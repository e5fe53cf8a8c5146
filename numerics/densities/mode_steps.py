r"""One step in time of modes: explicit, or exponential where they also decay at known rates.

.. math:: \dot a = N(a) - \Lambda a, \qquad \varphi_0(z) = e^z, \quad
          \varphi_{k+1}(z) = \frac{\varphi_k(z) - 1/k!}{z}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, hypot

import numpy as np

from gegenflow.numerics.integrators.tableaus import ORDER_8
from gegenflow.numerics.tokens.geometry import Array

EXPLICIT_ORDER, EXPONENTIAL_ORDER = 8, 4
SERIES = 20  # terms of phi that give it to rounding up to |z| = 1

Drift = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class ModeStep:
    """A step tried: the state after it and the drift N there, an estimate of the error of each mode, and its size.

    Arrays have shape=[modes].  ``error`` is the norm that the step control goes by, of the same order as the step or
    one less; ``estimate`` may be of a lower order and larger.
    """

    state: Array
    slope: Array
    estimate: Array
    error: float


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
    return ModeStep(trial, slopes[-1], fifth, main * (main / hypot(main, 0.1 * other)) if main > 0 else 0.0)


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
    return ModeStep(state, last, estimate, float(np.linalg.norm(estimate)))


def phi(z: Array) -> Array:
    r"""The functions :math:`\varphi_0, \dots, \varphi_3` at z <= 0, shape=[4, modes].

    >>> bool(np.allclose(phi(np.array([0.0]))[:, 0], [1, 1, 1 / 2, 1 / 6], rtol=1e-15))
    True
    """
    values = np.empty((4, len(z)))
    values[0] = np.exp(z)
    near = np.abs(z) < 1
    far, small = np.where(near, -1.0, z), np.where(near, z, 0.0)
    for k in range(3):
        values[k + 1] = (values[k] - 1 / factorial(k)) / far
    top = np.zeros(len(z))
    for n in range(SERIES, -1, -1):
        top = top * small + 1 / factorial(n + 3)
    for k in (3, 2, 1):
        values[k] = np.where(near, top, values[k])
        top = top * small + 1 / factorial(k - 1)
    return values
