"""What given tokens hold of each degree, and what the linear theory expects of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike
from scipy.stats import chi2

from gegenflow import theory as th
from gegenflow.numerics.tokens.geometry import check_tokens
from gegenflow.numerics.tokens.values import Value
from gegenflow.numerics.validation.agreement import Case


@dataclass(frozen=True, eq=False)
class Prospect(Value):
    """What tokens hold of a degree and what becomes of it: see :func:`prospects`."""

    degree: int
    amplitude: float
    contained: bool
    rate: float
    emergence: float


def prospects(tokens: ArrayLike, beta: Any, *, model: str = "usa") -> tuple[Prospect, ...]:
    r"""Which degrees the tokens hold and when the linear theory sees each emerge, the first to emerge first.

    A degree is ``contained`` if :math:`n D_k A_k^2` exceeds what independent uniform tokens show one time in a thousand
    (:math:`\chi^2` with :math:`D_k` degrees of freedom); ``emergence`` is the time at which :math:`A_k e^{\gamma_k t}`
    reaches 0.3. Degrees 1 to k_max + 2.

    >>> [(p.degree, p.contained) for p in prospects([[1.0, 0.0], [-1.0, 0.0]] * 10, beta=2)][0]
    (2, True)

    Raises ValueError for bad tokens, beta or model.
    """
    tokens = check_tokens(tokens)
    case = Case(tokens.shape[1], beta, model)
    amplitudes = case.amplitudes(tokens)
    times = case.emergence_times(amplitudes)
    found = []
    for degree, (amplitude, rate, time) in enumerate(zip(amplitudes, case.rates, times, strict=True), 1):
        freedom = float(th.harmonic_dimension(degree, case.dim))
        contained = bool(len(tokens) * amplitude**2 > chi2.isf(1e-3, freedom) / freedom)
        found.append(Prospect(degree, float(amplitude), contained, float(rate), float(time)))
    return tuple(sorted(found, key=lambda prospect: prospect.emergence))
