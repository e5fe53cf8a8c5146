"""How a run is computed and what is looked at: every check of a solver, each once, and the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from secrets import randbits
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.fields.method import check_method
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import Checkpoint, Integration, Saved, State, Status, Stepper, drive
from gegenflow.numerics.integrators.events import Crossing, check_observable, crossings, watches
from gegenflow.numerics.integrators.few_tokens import LONGEST, clock_unit
from gegenflow.numerics.integrators.interrupts import Interrupted, take_interrupt
from gegenflow.numerics.integrators.layers import fixed_step
from gegenflow.numerics.integrators.merging import check_merge
from gegenflow.numerics.integrators.stochastic import check_pace_of_noise
from gegenflow.numerics.observables.texts import names_of
from gegenflow.numerics.tokens.arguments import (
    SMALLEST_RTOL,
    check_number,
    check_numbers,
    check_rng,
    check_steps,
)
from gegenflow.numerics.tokens.arrays import NUMBERS
from gegenflow.numerics.tokens.files import interrupts_held
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

RTOL, ATOL = 1e-8, 1e-10
FEW = 200  # tokens up to which one compiled loop is faster: measured 1.5 times at 200, 0.9 at 400
COARSE = 1e-5  # tolerance from which steps of order 5 take fewer evaluations than those of order 8
TIGHTER = 0.01  # tolerances of the second run that measures the error, relative to the first
SUMS_ALONE = ("auto", "dense")
SETTINGS = ("merge", "rtol", "atol", "order", "step")

Crossings = Crossing | Sequence[Crossing]
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Settings:
    """How tokens are followed: the sums, and the steps, adaptive ones without noise and fixed ones with it."""

    method: str
    rtol: float = RTOL
    atol: float = ATOL
    order: int = 8
    merge: float | None = None
    first_step: float | None = None
    step: float | None = None
    rng: int | np.random.Generator | None = None

    @property
    def tol(self) -> float:
        """What bounds the error of a step."""
        return self.rtol + self.atol

    def finer(self, method: str) -> Settings:
        """Those of a second run that measures the error of a first, by its method."""
        finer = replace(self, method=method, rtol=max(TIGHTER * self.rtol, SMALLEST_RTOL), atol=TIGHTER * self.atol)
        return finer if self.merge is None else replace(finer, merge=min(self.merge, 0.1 * finer.tol))

    def facts(self) -> dict[str, Any]:
        """What a run records of them."""
        if self.step is not None:
            return {"step": self.step}
        return {"rtol": self.rtol, "atol": self.atol, "order": self.order, "merge": self.merge}


@dataclass(frozen=True, eq=False)
class Look:
    """What is looked at on the way: observables, the tracked tokens, crossings, the bar, and checkpoints."""

    observe: Sequence[Any] = ()
    tracked: NDArray[np.int64] | None = None
    stop_when: Crossings = ()
    record_when: Crossings = ()
    progress: bool = False
    save: Callable[[Any], object] | None = None
    every: float = 600.0

    def along(
        self,
        stepper: Stepper[State],
        observe: Callable[[float, State], Saved],
        seen_by: Callable[[Crossing], Callable[[State], float]],
        made: Callable[[Integration[State, Saved]], Made],
        *,
        t_end: float,
        times: Array,
    ) -> Made:
        """What is ``made`` of the end of a stepper that goes on to ``t_end``: saved, and raised on an interrupt.

        An interrupt while it is made waits until that is done.
        """
        save = self.save
        end: Integration[State, Saved] = drive(
            stepper,
            observe,
            t_end=t_end,
            save_at=times,
            watches=watches(self.stop_when, self.record_when, seen_by),
            progress=self.progress,
            checkpoint=None if save is None else Checkpoint(lambda end: save(made(end)), self.every),
        )
        interrupted = end.interrupted
        try:
            with interrupts_held():
                run: Made = self.kept(made(end))
        except KeyboardInterrupt:
            take_interrupt()
            interrupted = True
        if interrupted:
            raise Interrupted(run)
        return run

    def kept(self, run: Any) -> Any:
        """The run at its end, saved if it is to be; where that fails its status says so."""
        try:
            if self.save is not None:
                self.save(run)
        except (OSError, ValueError) as problem:
            return replace(run, status=Status(False, f"{run.status}, but it could not be saved: {problem}"))
        return run


def check_settings(
    flow: Flow,
    n: int,
    dim: int,
    t_end: float,
    *,
    method: str,
    merge: float | None,
    rtol: float | None,
    atol: float | None,
    order: int | None,
    first_step: float | None,
    step: float | None,
    rng: int | np.random.Generator | None,
    estimate_error: bool,
) -> Settings:
    """The settings that are given for n tokens in a dim, with defaults for the rest; refuses what does not go together.

    >>> given = dict.fromkeys(["merge", "rtol", "atol", "order", "first_step", "step", "rng"])
    >>> check_settings(Flow(beta=1), 10, 3, 1.0, method="auto", estimate_error=False, **given).facts()
    {'rtol': 1e-08, 'atol': 1e-10, 'order': 8, 'merge': None}
    """
    check_numbers({"merge": merge, "first_step": first_step, "step": step, "rtol": rtol, "atol": atol})
    check_method(method, dim, flow)
    check_rng(rng)
    _check_layer_norm(flow, merge, method)
    if flow.is_random:
        adaptive = {"rtol": rtol, "atol": atol, "order": order, "first_step": first_step, "merge": merge}
        for name, value in (adaptive | {"estimate_error": estimate_error or None}).items():
            if value is not None:
                shown = None if value is True else value
                raise Refused(
                    name, shown, "with noise or random layers all steps are of one size, which follows no tolerance"
                )
        size = fixed_step(flow, dim, step)
        check_pace_of_noise(size, t_end, "t_end" if step is None else "step")
        return Settings(method, step=size, rng=randbits(63) if rng is None else rng)
    if step is not None:
        raise Refused("step", step, "without noise the steps follow rtol and atol")
    rtol, atol = RTOL if rtol is None else rtol, ATOL if atol is None else atol
    check_steps(rtol, atol, 8 if order is None else order, first_step, t_end)
    if order is None:
        order = 5 if n > FEW and rtol + atol > COARSE else 8
    settings = Settings(method, float(rtol), float(atol), int(order), merge, first_step, rng=rng)
    if estimate_error and settings.finer(method).tol > 0.1 * settings.tol:
        raise Refused("estimate_error", None, f"it needs tolerances of 1e-12 in all, not {rtol:g} and {atol:g}")
    if merge is not None:
        _check_merge(merge, n, settings, flow)
    if (merge is not None or n <= FEW) and not t_end * (unit := clock_unit(flow)) <= LONGEST:
        raise Refused("t_end", t_end, f"for this beta and model it must be at most {LONGEST / unit:.3g}")
    return settings


def settings_again(parameters: Mapping[str, Any], flow: Flow, shape: tuple[int, ...], t_end: float) -> Settings:
    """Those of a run that goes on to a later end, from its parameters, which may come from a file; ``shape`` [n, dim].

    >>> settings_again({"rtol": -1.0}, Flow(beta=1), (10, 3), 1.0)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: rtol -1.0: it must be finite, >= 1e-13 and < 1
    """
    names = ("step",) if flow.is_random else ("merge", "rtol", "atol", "order")
    told = {name: parameters.get(name) if name in names else None for name in SETTINGS}
    if told["step"] is not None:
        check_pace_of_noise(check_number("step", told["step"], above=0.0), t_end, "t_end")
    given: dict[str, Any] = {"method": parameters.get("method", "auto"), **told}
    return check_settings(flow, shape[0], shape[1], t_end, **given, first_step=None, rng=None, estimate_error=False)


def check_look(
    observe: Sequence[Any],
    flow: Flow,
    *,
    stop_when: Crossings,
    record_when: Crossings,
    every: float,
    seen: str = "__call__",
) -> None:
    """Refuse what is no list of observables, or one that the flow does not have; ``seen`` is the method they need.

    >>> check_look([len, len], Flow(beta=1), stop_when=(), record_when=(), every=1)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: observe: <built-in function len> has no name
    """
    check_number("every", every, above=0.0)
    what = "observables such as [Energy()]" if seen == "__call__" else "observables of densities such as [Entropy()]"
    takes = "tokens, weights, flow" if seen == "__call__" else "density, flow"
    listed = isinstance(observe, Sequence)
    wrong = [o for o in observe if isinstance(o, type) or not hasattr(o, seen)] if listed else observe
    if not listed or wrong:
        raise Refused("observe", repr(wrong), f"it must be a list of {what}")
    for observable in observe:
        if not isinstance(getattr(observable, "name", None), str):
            raise Refused("observe", None, f"{observable!r} has no name")
        check_observable("observe", observable, takes, seen=seen)
    names = names_of(observe)
    if flow.layer_norm != "post" and "radii" in names:
        raise Refused("observe", "radii", f'the run with layer_norm "{flow.layer_norm}" has one of this name already')
    looked_for = []
    for name, given in (("stop_when", stop_when), ("record_when", record_when)):
        for crossing in crossings(name, given):
            check_observable(name, crossing.observable, takes, seen=seen)
            looked_for.append(crossing.observable)
    for observable in [*observe, *looked_for]:
        getattr(observable, "check", lambda flow: None)(flow)


def recorder(observe: Sequence[Any]) -> Callable[[Callable[[Any], object]], list[NDArray[Any]]]:
    """What observables give, as arrays, each of one shape at all times; what is none is refused.

    >>> record = recorder([type("Height", (), {"name": "height"})()])
    >>> record(lambda item: 1.0)
    [array(1.)]
    >>> record(lambda item: None)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: observe height: it gives None, of dtype object, no numbers
    """
    names, shapes = names_of(observe), dict[str, tuple[int, ...]]()

    def record(look: Callable[[Any], object]) -> list[NDArray[Any]]:
        found = [np.asarray(look(item)) for item in observe]
        for name, value in zip(names, found, strict=True):
            if value.dtype.kind not in NUMBERS:
                raise Refused("observe", name, f"it gives {str(value)[:40]}, of dtype {value.dtype}, no numbers")
            if shapes.setdefault(name, value.shape) != value.shape:
                raise Refused("observe", name, f"it gives shape {value.shape} after shape {shapes[name]}")
        return found

    return record


def _check_layer_norm(flow: Flow, merge: float | None, method: str) -> None:
    if flow.layer_norm == "post":
        return
    for part, name in ((flow.causal, "a causal mask"), (flow.heads, "several heads")):
        if part:
            raise Refused("layer_norm", flow.layer_norm, f"with {name} it must be post")
    for name, value in (("noise", flow.noise or None), ("method", None if method in SUMS_ALONE else method)):
        if value is not None:
            raise Refused(name, value, f'layer_norm "{flow.layer_norm}" goes with dense sums, without noise')
    if merge is not None:
        raise Refused("merge", merge, f'under "{flow.layer_norm}" tokens in one direction turn at different speeds')


def _check_merge(merge: float, n: int, settings: Settings, flow: Flow) -> None:
    if settings.method not in SUMS_ALONE or settings.order == 5:
        raise Refused("merge", merge, "its steps are of order 8, with sums by dense or auto")
    check_merge(merge, n, settings.tol, flow)
