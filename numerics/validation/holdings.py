"""What given tokens hold of each degree, how it grows, and whether the linear theory may speak of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from gegenflow import theory as th
from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.observables.harmonics import power_change
from gegenflow.numerics.tokens.geometry import Array, check_tokens
from gegenflow.numerics.tokens.values import Value, record_html
from gegenflow.numerics.validation.case import Case, emergence_times

CHANCE = 1e-3  # how often uniform tokens show as much of a degree as counts as contained
APART = 1 / 3  # of the largest linear rate: how far rates differ where tokens are not near uniform, ...
EXCESS = 1.0  # ... as where their squared distance from the uniform density, beyond noise, is as large as that
NEAR, FAR = "near uniform", "not near uniform: the linear theory does not apply"


@dataclass(frozen=True, eq=False)
class Prospect(Value):
    """What tokens hold of a degree and what becomes of it: see :func:`prospects`.

    :param degree: degree of the harmonics, >= 1
    :param amplitude: :math:`A_k` of the tokens, in [0, 1]
    :param contained: whether it is more than uniform tokens have by chance
    :param own_rate: growth rate that the tokens have at first, in units of 1/time
    :param rate: that of the linear theory
    :param emergence: time at which the amplitude should reach 0.3, inf where it does not grow
    :param verdict: whether the tokens are near uniform, so that the linear theory applies

    See also :func:`.prospects`.
    """

    degree: int
    amplitude: float
    contained: bool
    own_rate: float
    rate: float
    emergence: float
    verdict: str

    _repr_html_ = record_html


def prospects(tokens: ArrayLike, beta: Any, *, model: str = "usa", scaled: bool = False) -> tuple[Prospect, ...]:
    r"""Which degrees the tokens hold, how fast each grows, and when it should emerge, the first to emerge first.

    .. math:: \text{own\_rate} = \frac{d}{dt}\log A_k\Big|_{t=0}
              = \frac{1}{A_k^2} \sum_{ij} w_i w_j P_k'(\langle x_i, x_j\rangle) \langle x_i, v_j\rangle

    is the rate that the tokens themselves have, from their velocities v, exact; ``rate`` that of the linear theory,
    :math:`\gamma_k`.  A degree is ``contained`` if :math:`n D_k A_k^2` exceeds what independent uniform tokens show one
    time in a thousand (:math:`\chi^2` with :math:`D_k` degrees of freedom).  The ``verdict`` on all of them is "near
    uniform" if the rates of the contained degrees, and of the one that linear theory expects first, differ by at most
    a third of the largest :math:`\gamma_k`, and :math:`\sum_k D_k (A_k^2 - 1/n) < 1` over contained degrees; else "not
    near uniform: the linear theory does not apply".  ``emergence`` is the time at which :math:`A_k e^{\gamma_k t}`
    reaches 0.3, in the second case with the own rate, which the tokens only have at first.  Degrees 1 to k_max + 2.

    :param tokens: tokens on the sphere, shape (n, dim)
    :param beta: inverse temperature, a number or text, >= 0, in USA <= 700 unless scaled
    :param model: "usa" (unnormalised) or "sa" (softmax), default "usa"
    :param scaled: take rates and times of the weight :math:`e^{\beta(t-1)}`, of USA :math:`e^{-\beta}\gamma_k`;
        default False

    >>> two = prospects([[1.0, 0.0], [-1.0, 0.0]] * 10, beta=2)
    >>> sorted(p.degree for p in two if p.contained), two[0].verdict
    ([2, 4], 'not near uniform: the linear theory does not apply')

    Raises ValueError for bad tokens, beta, model or ``scaled``.

    See also :func:`.validate_tokens`, :func:`.harmonic_power`.
    """
    tokens = check_tokens(tokens)
    return prospects_of(tokens, Case(tokens.shape[1], beta, model, scaled=scaled))


def prospects_of(tokens: Array, case: Case, rates: Array | None = None) -> tuple[Prospect, ...]:
    """The prospects of tokens, already checked, at a point of parameters, in degrees 1 to those of ``rates``.

    ``rates`` are growth rates of the case, by default its own.

    >>> [p.degree for p in prospects_of(np.array([[1.0, 0.0], [-1.0, 0.0]] * 10), Case(2, 0))]
    [1]
    """
    n, rates = len(tokens), case.rates if rates is None else rates
    velocities = attention_field(tokens, case.flow, method="auto")
    power, change = power_change(tokens, velocities, len(rates), np.full(n, 1 / n))
    own = np.where(power > 0, change / np.where(power > 0, 2 * power, 1.0), 0.0)
    freedom = np.array([float(th.harmonic_dimension(k, case.dim)) for k in range(1, len(power) + 1)])
    contained = n * power > chi2.isf(CHANCE, freedom) / freedom
    amplitudes = np.sqrt(power)
    linear = emergence_times(amplitudes, rates)
    looked_at = contained | (linear == linear.min())
    near = np.abs(own - rates)[looked_at].max() <= APART * rates.max()
    near = near and (freedom * (power - 1 / n))[contained].sum() < EXCESS
    times = linear if near else emergence_times(amplitudes, own)
    rows = zip(amplitudes, contained, own, rates, times, strict=True)
    found = [
        Prospect(k, float(a), bool(held), float(mine), float(rate), float(time), NEAR if near else FAR)
        for k, (a, held, mine, rate, time) in enumerate(rows, 1)
    ]
    return tuple(sorted(found, key=lambda prospect: (prospect.emergence, -prospect.amplitude)))
