"""How tokens are followed: the stepper that serves them, how its states read, and what inexact sums may have moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from gegenflow.numerics.fields.circle import circle_points
from gegenflow.numerics.fields.field import Field, HeadFields
from gegenflow.numerics.fields.method import CHOSEN, METHODS, prepare_field
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.flows.heads import exponentials
from gegenflow.numerics.integrators.adaptive import AdaptiveSteps
from gegenflow.numerics.integrators.driver import Integration, Memory, Origin, Status, Stepper
from gegenflow.numerics.integrators.few_tokens import FewSteps
from gegenflow.numerics.integrators.layers import LayeredSteps, layer_push, token_layer
from gegenflow.numerics.integrators.merging import MergingSteps
from gegenflow.numerics.integrators.normalization import stream_steps, stream_velocity, unit_rows
from gegenflow.numerics.integrators.stochastic import NoisySteps
from gegenflow.numerics.runs.settings import FEW, SUMS_ALONE, Settings
from gegenflow.numerics.tokens.geometry import Array, span_basis
from gegenflow.numerics.tokens.sharing import is_shared

ADDED_UP = 100  # tolerances of a step that the error of the sums may add up to before the status says so
CHOSEN_WITH_NOISE = 1e-7  # of a token's way in a step, a tenth of the time of the fastest motion
WIDE = 4  # dims per token from which tokens are followed in the space that they span: measured 2 times faster there

Reading = tuple[Array, Array]
"""Unit tokens, shape=[n, dim], and their lengths, shape=[n]."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where a run starts, or goes on: unit tokens, shape=[n, dim], lengths and weights, shape=[n], and its memory."""

    tokens: Array
    radii: Array
    weights: Array
    time: float = 0.0
    memory: Memory | None = None


@dataclass(frozen=True, eq=False)
class Way:
    """A stepper, what its states say, and the field whose sums it takes, None for those that are exact.

    Tokens may be followed in coordinates of the space that they span: ``basis``, shape=[dim, dims of it].  ``exact``
    names the sums where there is no field.
    """

    stepper: Stepper[Array]
    read: Callable[[Array], Reading]
    basis: Array | None = None
    sums: Field | HeadFields | None = None
    exact: str = "dense"

    @property
    def method(self) -> str:
        """How the sums are taken."""
        return self.exact if self.sums is None else self.sums.method

    @property
    def merges(self) -> Array:
        """Times of merging and clusters left, shape=[events, 2]."""
        return self.stepper.merges if isinstance(self.stepper, MergingSteps) else np.empty((0, 2))

    def whole(self, rows: Array) -> Array:
        """Rows in all coordinates."""
        return rows if self.basis is None else rows @ self.basis.T


def choose_way(
    start: Start, flow: Flow, settings: Settings, t_end: float, check: Callable[[Array], object] | None = None
) -> Way:
    """The stepper that serves tokens, which shows its states to ``check``; arguments already checked.

    >>> for n in (10, 300):
    ...     tokens, ones = np.repeat(np.eye(2), n, axis=0), np.ones(2 * n)
    ...     way = choose_way(Start(tokens, ones, ones / (2 * n)), Flow(beta=2, model="sa"), Settings("auto"), 1.0)
    ...     print(type(way.stepper).__name__, way.method)
    FewSteps dense
    AdaptiveSteps circle
    """
    n, dim = start.tokens.shape
    basis = None
    if flow.plain and not flow.is_random and dim >= WIDE * max(n, 2) and not _bound_to_dim(settings.method):
        basis = span_basis(start.tokens)
    rows = start.radii[:, None] * (start.tokens if basis is None else start.tokens @ basis)
    origin = Origin(start.time, settings.first_step, start.memory)
    steps: dict[str, Any] = {"tol": settings.tol, "origin": origin}
    streaming, stepper = flow.layer_norm != "post", stepper_of(n, flow, settings)
    if stepper is MergingSteps and settings.merge is not None:
        return Way(MergingSteps(rows, start.weights, flow, merge=settings.merge, **steps), _as_they_are, basis)
    if stepper is FewSteps:
        return Way(FewSteps(rows, start.weights, flow, **steps), _as_they_are, basis)
    sums = _sums(rows, start, flow, settings, t_end) if _has_drift(flow) else None
    if flow.random_layers is not None and settings.step is not None:
        layer = token_layer(sums, layer_push(flow, start.weights, dim), settings.step)
        layered = LayeredSteps(rows, layer, step=settings.step, rng=streams(settings.rng)["rng"], origin=origin)
        return Way(layered, _as_they_are, None, sums)
    assert sums is not None
    if settings.step is not None:
        noisy = NoisySteps(sums, rows, noise=flow.noise, step=settings.step, origin=origin, **streams(settings.rng))
        return Way(noisy, _as_they_are, None, sums)
    if streaming:
        velocity = stream_velocity(start.weights, flow)
        stream = stream_steps(velocity, rows, order=settings.order, **steps)
        return Way(stream, lambda line: unit_rows(line.reshape(rows.shape)), basis, sums)
    if sums.angles:  # in dim 2 half the memory, and no projection
        angles = AdaptiveSteps(sums, np.arctan2(rows[:, 1], rows[:, 0]), order=settings.order, check=check, **steps)
        return Way(angles, lambda angle: _as_they_are(circle_points(angle)), basis, sums)
    return Way(AdaptiveSteps(sums, rows, order=settings.order, check=check, **steps), _as_they_are, basis, sums)


def stepper_of(n: int, flow: Flow, settings: Settings) -> type[Stepper[Array]]:
    """The kind of stepper that serves n tokens.

    >>> [stepper_of(n, Flow(beta=1), Settings("auto")).__name__ for n in (10, 1000)]
    ['FewSteps', 'AdaptiveSteps']
    """
    alike = not is_shared() and flow.layer_norm == "post" and flow.causal is None and flow.random_layers is None
    if alike and not flow.noise and settings.method in SUMS_ALONE and exponentials(flow):
        if settings.merge is not None:
            return MergingSteps
        if n <= FEW and settings.order == 8:
            return FewSteps
    if flow.random_layers is not None:
        return LayeredSteps
    return AdaptiveSteps if settings.step is None else NoisySteps


def _has_drift(flow: Flow) -> bool:
    return flow.attends and not (flow.random_layers is not None and flow.random_layers.values)


def unmoved(start: Start, settings: Settings, flow: Flow) -> Way:
    """What is left of a run that was interrupted while its sums were prepared: it stays where it starts, and can go on.

    >>> start = Start(np.eye(2), np.ones(2), np.full(2, 0.5))
    >>> unmoved(start, Settings("auto"), Flow(beta=1)).stepper.at(0.0)
    array([[1., 0.],
           [0., 1.]])
    """
    memory = start.memory
    if memory is None and settings.step is not None:
        drawn = streams(settings.rng)
        memory = NoisySteps(_no_field, start.tokens, noise=flow.noise, step=settings.step, **drawn).memory(0.0)
    return Way(_Standstill(start, memory or {}), lambda rows: (rows, start.radii), exact=settings.method)


class _Standstill:
    # a stepper that was interrupted before it was one
    hopeless, counts = inf, (0, 0, 0)

    def __init__(self, start: Start, memory: Memory) -> None:
        self.time, self.tokens, self.remembered = start.time, start.tokens, memory

    def advance(self, end: float, wanted: float = inf, single: bool = False) -> None:
        raise KeyboardInterrupt

    def at(self, time: float) -> Array:
        return self.tokens.copy()

    def memory(self, time: float) -> Memory:
        return self.remembered


def judge_sums(
    way: Way, start: Start, end: Integration[Array, Any], rows: Array, tol: float
) -> tuple[Status, float | None]:
    """The status of a run that ends at ``rows``, and how far the error of the sums may have moved a token, if known."""
    sums = way.sums
    if sums is None or sums.error == 0:
        return end.status, 0.0
    if isinstance(way.stepper, NoisySteps | LayeredSteps) or not end.status:
        return end.status, None
    first = start.tokens if way.basis is None else start.tokens @ way.basis
    try:
        moved = (end.reached - start.time) * max(sums.velocity_error(first), sums.velocity_error(rows))
    except FloatingPointError:
        return end.status, None
    if moved <= ADDED_UP * tol:
        return end.status, moved
    what = f"the error of the {sums.method} sums may have moved tokens by {moved:.1e}, beyond the tolerance"
    remedy = '; method="dense" is exact' if sums.method == "auto" or METHODS[sums.method].series else ""
    return Status(False, f"{end.status}, but {what}{remedy}"), moved


def _sums(rows: Array, start: Start, flow: Flow, settings: Settings, t_end: float) -> Field | HeadFields:
    # With noise their accuracy, and in a run that goes on their tolerance, do not depend on where it starts and ends.
    if settings.step is not None:
        accuracy = CHOSEN_WITH_NOISE / settings.step
    else:
        accuracy = CHOSEN * settings.tol / (t_end - start.time) if t_end > start.time else 0.0
    tol = float(start.memory["sums"]) if start.memory and "sums" in start.memory and settings.step else None
    return prepare_field(rows, start.weights, flow, method=settings.method, accuracy=accuracy, tol=tol)


def _bound_to_dim(method: str) -> bool:
    return method in METHODS and bool(METHODS[method].dims)


def _as_they_are(rows: Array) -> Reading:
    return rows, np.ones(len(rows))


def _no_field(state: Array, out: Array) -> None:
    raise KeyboardInterrupt


def streams(rng: int | np.random.Generator | None) -> dict[str, Any]:
    """What a run draws from, independent of a start drawn with the same number: a generator, and a key for bridges.

    >>> bool(streams(0)["rng"].random() == streams(0)["rng"].random() != np.random.default_rng(0).random())
    True
    """
    seeds = np.random.default_rng(rng).bit_generator.seed_seq.spawn(2)  # type: ignore[attr-defined]
    return {"rng": np.random.Generator(np.random.PCG64(seeds[0])), "key": int(seeds[1].generate_state(1, np.uint64)[0])}
