"""What holds of any tokens, tried on a user's own, and what holds of them only near the uniform density."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import special_ortho_group

from gegenflow.numerics.fields.method import attention_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.observables.harmonics import harmonic_power, power_change
from gegenflow.numerics.observables.tokens import HarmonicPower
from gegenflow.numerics.runs.ensembles import first_crossing
from gegenflow.numerics.tokens.arguments import check_rng
from gegenflow.numerics.tokens.geometry import Array, check_tokens, normalize
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.case import EMERGED, Case
from gegenflow.numerics.validation.checks import Check, Rival
from gegenflow.numerics.validation.ends import energy_gain
from gegenflow.numerics.validation.holdings import NEAR, prospects
from gegenflow.numerics.validation.measurements import follow
from gegenflow.numerics.validation.report import Report
from gegenflow.theory.kernels.attention import as_kernel

DEGREES = 4
REST = 1e-14  # in units of the largest weight: what rounding leaves of a velocity that is zero
OWN = "own tokens"


def validate_tokens(
    tokens: ArrayLike, beta: Any = None, *, model: str = "usa", kernel: Any = None, rng: int | None = 0
) -> Report:
    r"""Try on given tokens, shape=[n, dim], what holds of any start, and where they are near uniform the growth too.

    .. math:: \langle x_i, v_i\rangle = 0, \qquad v(Rx) = R\,v(x), \qquad \frac{dE}{dt} = \int |v|^2\,d\mu, \qquad
              \frac{d}{dt} A_k^2 = 2 \sum_{ij} w_i w_j P_k'(\langle x_i, x_j\rangle)\langle x_i, v_j\rangle

    The notes of the report say which laws do not apply, and why.

    :param tokens: tokens on the sphere, shape (n, dim)
    :param beta: inverse temperature, a number or text, >= 0; None (default) beside a kernel without it
    :param model: "usa" (unnormalised) or "sa" (softmax), default "usa"
    :param kernel: attention weight h(t), a formula or Kernel of the theory; None (default): exp(beta t)
    :param rng: seed >= 0 of the rotation, default 0; None: seeded by the system

    >>> from gegenflow.numerics.tokens.geometry import uniform
    >>> report = validate_tokens(uniform(200, 3, rng=0), beta=2)
    >>> report.passed, [check.name for check in report.checks][:2]
    (True, ['tangency', 'rotation'])

    Raises ValueError for bad tokens, beta, model or kernel, and for tokens at rest. Source: derived here.

    See also :func:`.validate`, :func:`.prospects`.
    """
    start, clock = check_tokens(tokens), perf_counter()
    case = Case(start.shape[1], beta, model, None if kernel is None else as_kernel(kernel))
    checks = list(_any_start(start, case.flow, check_rng(rng)))
    notes = []
    if case.kernel is not None:
        notes.append("energy, growth and selection: not tried, they are known of exp(beta t) alone")
    else:
        coming = prospects(start, beta, model=model)
        if coming[0].verdict == NEAR:
            checks += _near_uniform(start, case, coming[0].degree)
        else:
            notes.append(f"growth, phases and selection do not apply: the tokens are {coming[0].verdict}")
    labelled = tuple(replace(check, law=OWN) for check in checks)
    facts = {"tokens": len(start), "dim": case.dim, "beta": str(beta), "model": model}
    facts |= {"kernel": str(kernel), "rng": rng}
    return Report(labelled, facts, "complete", perf_counter() - clock, tuple(notes))


def _any_start(start: Array, flow: Flow, rng: np.random.Generator) -> Iterator[Check]:
    n, dim = start.shape
    weights, velocity = np.full(n, 1 / n), attention_field(start, flow)
    speed = float(np.sqrt((velocity**2).sum(axis=1).mean()))
    if speed <= REST * flow.unit:
        raise Refused("tokens", None, "they are at rest, so that nothing of their motion can be tried")
    drift = float(np.abs((velocity * start).sum(axis=1)).max())
    yield Check("tangency", 0.0, drift, 1e-12 * speed, scale=speed)
    turn = special_ortho_group.rvs(dim, random_state=rng)
    turned = attention_field(normalize(start @ turn.T), flow)
    apart = float(np.linalg.norm(turned - velocity @ turn.T, axis=1).max())
    yield Check("rotation", 0.0, apart, 1e-10 * speed, scale=speed)
    if flow.kernel is None:
        integral, gain, error = energy_gain(start, flow, t_end=0.1 / speed)
        yield Check("energy balance", integral, gain, error, rivals=(Rival("half the dissipation", integral / 2),))
    power, change = power_change(start, velocity, DEGREES, weights)
    scale = max(float(np.abs(change).max()), 1e-300)
    slopes = []
    for step in (1e-3 / speed, 2e-3 / speed):
        run = follow(start, flow, step, save_at=[], rtol=1e-12, atol=1e-15)
        half = follow(start, flow, step / 2, save_at=[], rtol=1e-12, atol=1e-15)
        ends = [harmonic_power(end.tokens, DEGREES)[1:] for end in (half, run)]
        slopes.append((4 * ends[0] - ends[1] - 3 * power) / step)
    for degree, (predicted, fine, coarse) in enumerate(zip(change, *slopes, strict=True), 1):
        bar = abs(fine - coarse) + 1e-9 * scale
        rivals = (Rival("no motion", 0.0),) if abs(predicted) > 0.01 * scale else ()
        yield Check(f"growth of degree {degree} at once", predicted, fine, bar, scale=scale, rivals=rivals)


def _near_uniform(start: Array, case: Case, degree: int) -> Iterator[Check]:
    # the degree that is announced first is the one that comes first
    t_end = 3 * float(case.emergence_times(case.amplitudes(start)).min())
    times = np.linspace(0, max(t_end, 1e-3 / case.rates.max()), 200)
    run = follow(start, case.flow, times[-1], save_at=times, observe=[HarmonicPower(len(case.rates))], rtol=1e-6)
    first, _ = first_crossing(run.t, run.observables["harmonic_power"], EMERGED)
    yield Check("degree that emerges first", float(degree), float(first), 0.01)
