"""One point of parameters, on both sides: the flow of a simulation and what the theory says there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.harmonics import harmonic_power
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.theory.exact.arguments import check_beta, check_noise

EMERGED = 0.3
"""Amplitude A_k at which a degree counts as emerged."""
MOST_DEGREES = 8
"""Degrees that are compared under a kernel without closed forms."""


def other_model(model: str) -> str:
    """The model that this one is not.

    >>> other_model("usa"), other_model("sa")
    ('sa', 'usa')
    """
    return "sa" if model == "usa" else "usa"


def simulation_beta(beta: Any) -> float:
    """The exact temperature as the nearest float64.

    Raises ValueError where it is negative, not finite or too large for one.
    """
    return _nearest("beta", beta, check_beta(beta, least=0, symbols=False))


def _nearest(name: str, given: Any, exact: Any) -> float:
    try:
        return float(Fraction(int(exact.p), int(exact.q)) if exact.is_Rational else exact)
    except OverflowError as error:
        raise Refused(name, given, "it is too large for a simulation in float64") from error


@dataclass(frozen=True)
class Case:
    """A dimension, a temperature (exact, as text or number), a model, a kernel and noise, with what theory predicts."""

    dim: int
    beta: Any
    model: str = "usa"
    kernel: Any = None
    noise: Any = 0
    scaled: bool = False

    def __post_init__(self) -> None:
        self.growth(1, digits=1)
        self.flow  # noqa: B018  (refused here where there is none)

    def __str__(self) -> str:
        kernel = f" {self.kernel.weight}" if self.kernel is not None else ""
        noise = f" noise {self.noise}" if check_noise(self.noise) != 0 else ""
        return f"dim {self.dim} {self.model.upper()}{kernel}{noise}"

    @cached_property
    def value(self) -> float:
        """The temperature as a number for the simulation."""
        return simulation_beta(self.beta)

    @cached_property
    def flow(self) -> Flow:
        """What moves the tokens of the simulation."""
        beta = None if self.beta is None else self.value
        noise = _nearest("noise", self.noise, check_noise(self.noise))
        return Flow(beta=beta, kernel=self.kernel, model=self.model, noise=noise, scaled=self.scaled)

    @property
    def moved(self) -> bool:
        """Whether more than degree 1 moves: at beta = 0 the exponential has none."""
        return self.kernel is not None or self.value > 0

    def growth(self, degree: int, *, digits: int = 17, **other: Any) -> float:
        """The certified growth rate of a degree, or that with another dim, model, beta or noise."""
        given = {"dim": self.dim, "beta": self.beta, "model": self.model, "noise": self.noise} | other
        dim, beta = given.pop("dim"), given.pop("beta")
        if beta is not None:
            given["beta"] = beta
        return float(th.growth_rate(degree, dim, kernel=self.kernel, digits=digits, **given))

    @cached_property
    def selected(self) -> int:
        """The degree that grows fastest, 0 if none grows."""
        if self.kernel is None and check_noise(self.noise) == 0:
            return th.selected_degree(self.beta, self.dim)
        parts = {"kernel": self.kernel, "noise": self.noise, "model": self.model}
        return th.selected_degree(self.beta, self.dim, max_degree=MOST_DEGREES, **parts)

    @cached_property
    def rates(self) -> Array:
        """Growth rates of degrees 1 to selected + 2; at beta = 0, where the others do not grow, of degree 1."""
        return self.rates_to(self.selected + 2 if self.moved else 1)

    def rates_to(self, most: int) -> Array:
        """Growth rates of degrees 1 to ``most``."""
        degrees = range(1, most + 1)
        if self.scaled and self.model == "usa" and self.moved:
            logs = [th.rate_function(k, self.dim).log(self.value)[1] for k in degrees]  # all of them grow
            return np.exp(np.array(logs, dtype=np.float64) - self.value)
        return np.array([self.growth(k) for k in degrees])

    def amplitudes(self, tokens: Array) -> Array:
        """Amplitudes A_k of the tokens in the degrees of ``rates``."""
        return np.sqrt(harmonic_power(tokens, len(self.rates))[1:])

    def emergence_times(self, amplitudes: Array) -> Array:
        """When the linear theory brings each of these amplitudes to 0.3; 0 where it is there already."""
        return emergence_times(amplitudes, self.rates)


def emergence_times(amplitudes: Array, rates: Array) -> Array:
    """When amplitudes that grow at rates reach 0.3: at once where they have, never where they do not grow.

    >>> emergence_times(np.array([0.3, 0.03, 0.03]), np.array([1.0, np.log(10), -1.0])).round(12)
    array([ 0.,  1., inf])
    """
    with np.errstate(divide="ignore"):
        left = np.maximum(np.log(EMERGED / amplitudes), 0.0)
    growing = rates > 0
    times: Array = np.where(left > 0, np.where(growing, left / np.where(growing, rates, 1.0), np.inf), 0.0)
    return times
