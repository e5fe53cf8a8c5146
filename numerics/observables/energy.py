"""The energy that attention increases, and how fast it does: of tokens and of densities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, inf, isfinite
from typing import ClassVar

import numpy as np

from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.fields.dense import dense_sums
from gegenflow.numerics.fields.method import attention_field, attention_sums, resolved_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.heads import head_flows, isotropic
from gegenflow.numerics.flows.weights import LARGEST_BETA
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import added_up, is_shared, total
from gegenflow.numerics.tokens.values import record_html

SLOW = 1e6  # errors of the sums: a slower motion is summed up densely, however many tokens
SETTLED = 1e-11  # change of a dissipation in twice as many degrees, in units of the sum of the moduli
LEAST_DEGREE, MOST_DEGREES = 16, 1000  # from which on, and beyond which no longer, twice as many are tried
ROUNDING = 1e-14  # entries of matrices this close, relative to the largest, are equal


@dataclass(frozen=True)
class Energy:
    r"""Interaction energy, which attention increases.

    .. math:: E = \frac{1}{2\beta} \sum_{ij} w_i w_j e^{\beta\langle x_i, B x_j\rangle}

    for a ``query_key`` B = ``value`` V, symmetric, the identity by default; :math:`e^{-\beta}` times that for a scaled
    flow.  At ``beta`` = 0 the diverging constant :math:`1/(2\beta)` is dropped:
    :math:`E = \frac12 \sum_{ij} w_i w_j \langle x_i, B x_j\rangle`.

    >>> energy = Energy()(np.eye(2), np.array([0.5, 0.5]), Flow(beta=2))
    >>> bool(np.isclose(energy, (2 * np.exp(2.0) + 2) / 16, rtol=1e-14))
    True

    Several heads (USA), each with a symmetric B and V = c B, have the sum of c times the energy of each.

    Raises ValueError where it overflows, as for ``beta`` > 700 if it is not scaled, in a run with a kernel, whose
    potential is not known, and for other matrices, under which there is none.  Source: arXiv 2410.23228, 2605.04279 for
    the matrices and heads; multiples of them derived here.

    See also :class:`.Dissipation`, :class:`.HeadEnergy`, :func:`.energy_gain`.
    """

    name: ClassVar[str] = "energy"
    adds_up: ClassVar[bool] = True

    _repr_html_ = record_html

    def check(self, flow: Flow) -> None:
        """Refuse a ``flow`` that has no such energy."""
        if flow.heads:
            for _, one in _gradient_heads(flow, self.name):
                self.check(one)
            return
        if flow.kernel is not None:
            raise Refused("kernel", None, "the energy needs beta, as the potential of a kernel is not known")
        _check_gradient(flow, self.name)

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], under the ``flow``."""
        if flow.heads:
            parts = _gradient_heads(flow, self.name, tokens.shape[1])
            return sum(multiple * self(tokens, weights, one) for multiple, one in parts)
        beta = _checked(self, flow)
        if beta == 0:
            mean = added_up(weights @ tokens)
            return float(mean @ mean if flow.query_key is None else mean @ flow.query_key @ mean) / 2
        _check_overflow(flow, 1, self.name)
        _, normalizer = attention_sums(tokens, weights, Flow(beta=beta, model="sa", query_key=flow.query_key))
        return exp(flow.exponent) / (2 * beta) * total(float(weights @ normalizer))

    def of_density(self, density: Density, flow: Flow) -> float:
        r"""Of a ``density`` under the ``flow``, by the multipliers w of the kernel.

        .. math:: E = \frac{1}{2\beta} \Big(w_0 + \sum_i w_{\deg i} a_i^2\Big)
        """
        if flow.heads:
            return sum(gain * self.of_density(density, one) for gain, one in isotropic(flow, self.name, density.dim))
        beta = _checked(self, flow)
        _check_overflow(flow, 1, self.name)
        value, potential = density.multipliers(flow)
        if beta == 0:
            return float(potential[density.degrees] @ density.coefficients**2) / 2
        mean = value[0] + value[density.degrees] @ density.coefficients**2
        return exp(flow.exponent) / (2 * beta) * float(mean)


@dataclass(frozen=True)
class Dissipation:
    r"""Rate dE/dt at which the energy of :class:`Energy` grows along the flow, noise left out.

    .. math:: \frac{dE}{dt} = \sum_i w_i |v_i|^2 \ \text{(USA)}, \qquad \sum_i w_i Z_i |v_i|^2 \ \text{(SA)}

    with v the model's own velocity and Z its normaliser; in a run with a kernel h,
    :math:`E = \frac12 \sum_{ij} w_i w_j W(\langle x_i, B x_j\rangle)`, :math:`W' = h`.  Of a scaled flow
    it is the rate of its own energy in its own time.  Two orthogonal tokens, USA: v = 1/2 for both.

    >>> Dissipation()(np.eye(2), np.array([0.5, 0.5]), Flow(beta=2))
    0.25

    Raises ValueError when it overflows (``beta`` about 350 for USA), for matrices without an energy, and for another
    layer norm than "post".  Source: derived here; in USA the flow is the Wasserstein gradient ascent of E.

    See also :class:`.Energy`, :func:`.energy_gain`.
    """

    name: ClassVar[str] = "dissipation"
    adds_up: ClassVar[bool] = True

    _repr_html_ = record_html

    def check(self, flow: Flow) -> None:
        """Refuse a ``flow`` along which no energy grows at that rate."""
        _check_gradient(flow, self.name)
        if flow.layer_norm != "post":
            raise Refused("layer_norm", flow.layer_norm, "the dissipation is that of tokens on the sphere")

    def __call__(self, tokens: Array, weights: Array, flow: Flow) -> float:
        """Of ``tokens``, shape=[n, dim], of ``weights``, shape=[n], under the ``flow``."""
        self.check(flow)
        if flow.heads:
            velocity = attention_field(tokens, replace(flow, noise=0.0), weights=weights, method="auto")
            return total(float(weights @ np.einsum("id,id->i", velocity, velocity)))
        field = resolved_field(tokens, weights, flow)
        drift, normalizer = field.sums(tokens, weights)
        if flow.plain and not is_shared() and np.abs(drift).max() < SLOW * field.error * field.largest[0]:
            drift, normalizer = dense_sums(tokens, weights, flow.attention)
        squares = np.einsum("id,id->i", drift, drift)
        scaled = total(float(weights @ (squares if flow.model == "usa" else squares / normalizer)))
        power = flow.exponent * (2 if flow.model == "usa" else 1)
        value = scaled * exp(power) if power <= LARGEST_BETA else inf
        if not isfinite(value):
            raise Refused("beta", flow.beta, "the dissipation overflows float64 there, not along a scaled flow")
        return value

    def of_density(self, density: Density, flow: Flow) -> float:
        r"""Of a ``density`` under the ``flow`` without noise, by the multipliers :math:`\lambda` of W.

        .. math:: \frac{dE}{dt} = \sum_i \lambda_{\deg i} a_i \dot a_i

        SA divides by the normaliser, so it is taken in twice as many degrees until it no longer changes.
        """
        self.check(flow)
        _check_overflow(flow, 2 if flow.model == "usa" else 1, self.name)
        parts = isotropic(flow, self.name, density.dim) if flow.heads else ((1.0, flow),)
        top, before = max(density.max_degree, LEAST_DEGREE), inf
        while True:
            wide = density.resized(top)
            scaled = [gain * exp(one.exponent) * wide.multipliers(one)[1][wide.degrees] for gain, one in parts]
            gains = np.sum(scaled, axis=0) * wide.coefficients * wide.motion(flow)(wide.coefficients)
            rate, size = float(gains.sum()), float(np.abs(gains).sum())
            if flow.model == "usa" or abs(rate - before) <= SETTLED * size or top > MOST_DEGREES:
                return rate
            top, before = 2 * top, rate


def _checked(energy: Energy, flow: Flow) -> float:
    energy.check(flow)
    return float(flow.attention)  # type: ignore[arg-type]


def _gradient_heads(flow: Flow, name: str, dim: int | None = None) -> list[tuple[float, Flow]]:
    """Of each head the c of V = c B, with B symmetric, and a flow with V = B; heads without one are refused."""
    if flow.model != "usa":
        raise Refused("model", flow.model, f"several heads have an {name} that grows in USA alone")
    parts = []
    for gain, one in head_flows(flow, dim):
        if one.plain:
            parts.append((gain, one))
            continue
        form, value = _form_and_value(one)
        multiple = float(np.vdot(form, value) / np.vdot(form, form)) if form.any() else 0.0
        reach = ROUNDING * np.abs(value).max()
        if not (np.abs(value - multiple * form) <= reach).all() or not (np.abs(form - form.T) <= reach).all():
            raise Refused("heads", None, f"the {name} needs a symmetric query_key and a multiple of it as value")
        parts.append((gain * multiple, Flow(one.beta, one.kernel, form, form)))
    return parts


def _form_and_value(flow: Flow) -> tuple[Array, Array]:
    form, value = flow.query_key, flow.value
    dim = len(form) if form is not None else len(value) if value is not None else 0
    return np.eye(dim) if form is None else form, np.eye(dim) if value is None else value


def _check_gradient(flow: Flow, name: str) -> None:
    """Refuse a mask, and matrices other than a symmetric query_key and a value equal to it, up to rounding."""
    if flow.causal is not None:
        raise Refused("causal", None, f"there is no {name} under a mask: a token pulls at those after it alone")
    if flow.heads:
        _gradient_heads(flow, name)
    given = [matrix for matrix in (flow.query_key, flow.value) if matrix is not None]
    if not given:
        return
    first, second = given if len(given) == 2 else (given[0], np.eye(len(given[0])))
    reach = ROUNDING * np.abs(first).max()
    if not all((np.abs(first - other) <= reach).all() for other in (second, first.T)):
        part = "value" if flow.query_key is None else "query_key"
        raise Refused(part, None, f"the {name} needs query_key = value, symmetric; else there is none that grows")


def _check_overflow(flow: Flow, power: int, name: str) -> None:
    if power * flow.exponent > LARGEST_BETA:
        raise Refused("beta", flow.beta, f"the {name} overflows float64 there, not along a scaled flow")
