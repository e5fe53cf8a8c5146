"""The one driver: times, saving, events, progress, pace, interrupts and how a computation ends.

An integrator is a :class:`Stepper`; what it has in common with all others is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.integrators.events import Event, Lookout, Watch
from gegenflow.numerics.integrators.interrupts import listening, take_interrupt
from gegenflow.numerics.integrators.progress import progress_bar
from gegenflow.numerics.tokens.files import interrupts_held
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.values import Value, record_html

PACED, HOPELESS = 10_000, 1e6  # steps between two looks at the pace, and how many more times as many are too many
SAFETY, MOST_SHRINKING, MOST_GROWTH = 0.85, 0.1, 10.0  # 0.9 has twice as many rejected steps

State = TypeVar("State")
State_co = TypeVar("State_co", covariant=True)
Saved = TypeVar("Saved")
Memory = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Status:
    """Whether a computation did all it was asked, and if not what happened and what to do; true where it is ok.

    ``ok`` is True where it did, ``message`` the sentence that says so or says why not.

    >>> print(Status(True, "reached t = 2"))
    reached t = 2
    >>> bool(Status(False, "interrupted at t = 1"))
    False
    """

    ok: bool
    message: str

    _repr_html_ = record_html

    def __str__(self) -> str:
        return self.message

    def __bool__(self) -> bool:
        return self.ok


class Breakdown(FloatingPointError):
    """What ends a run before its time, with what to do about it, if anything."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.remedy = remedy


@dataclass(frozen=True, eq=False)
class Origin:
    """Where on the clock a stepper starts: its first step, and the ``memory`` of an earlier one that ended there."""

    time: float = 0.0
    first_step: float | None = None
    memory: Memory | None = None


AT_ZERO = Origin()


class Stepper(Protocol[State_co]):
    """A way of stepping in time: all that the driver needs.

    ``time`` is what has been reached, ``steps``, ``rejected`` and ``evaluations`` of the velocity count the work, and
    ``hopeless`` times 10,000 steps are too many.  After an exception in any method, the state at ``time`` is still
    there.
    """

    hopeless: float

    @property
    def time(self) -> float: ...

    @property
    def counts(self) -> tuple[int, int, int]:
        """Steps, evaluations and rejected steps so far."""

    def advance(self, end: float, wanted: float = inf, single: bool = False) -> None:
        """Take one accepted step or more towards ``end``, none after one that reaches ``wanted`` or if ``single``.

        Raises FloatingPointError, a :class:`Breakdown` where there is a remedy, for what cannot go on.
        """

    def at(self, time: float) -> State_co:
        """The state at a time within the last step, its end included, in memory of its own."""

    def memory(self, time: float) -> Memory:
        """What beside the state at a time within the last step it takes to go on from there as if nothing had ended."""


@dataclass(frozen=True, eq=False)
class Integration(Value, Generic[State, Saved]):
    """How a computation ended: what :func:`.integrate` returns.

    :param t: times of what is saved, shape (times,), those of ``save_at`` up to ``reached``
    :param saved: what was observed at each of them, a list
    :param state: the last state, of the shape of the start
    :param reached: time of the last state
    :param steps: accepted steps, >= 0
    :param evaluations: how often the velocity was taken, >= 0
    :param rejected: steps that were too long and repeated, >= 0
    :param status: whether all went well, a :class:`.Status`
    :param events: the crossings found, each an :class:`.Event`; default ()
    :param memory: what going on takes beside the state, arrays by name; default {}
    :param interrupted: whether the keyboard ended it, default False
    """

    t: Array
    saved: list[Saved]
    state: State
    reached: float
    steps: int
    evaluations: int
    rejected: int
    status: Status
    events: tuple[Event[State], ...] = ()
    memory: Memory = field(default_factory=dict)
    interrupted: bool = False

    _repr_html_ = record_html


@dataclass(frozen=True, eq=False)
class Checkpoint(Generic[State, Saved]):
    """What to do with a computation on its way, and after how many seconds to do it again."""

    save: Callable[[Integration[State, Saved]], object]
    every: float


def drive(
    stepper: Stepper[State],
    observe: Callable[[float, State], Saved],
    *,
    t_end: float,
    save_at: Sequence[float] | Array = (),
    watches: Sequence[Watch[State]] = (),
    progress: bool = False,
    checkpoint: Checkpoint[State, Saved] | None = None,
) -> Integration[State, Saved]:
    """Let a stepper go on to ``t_end``, keep what ``observe`` makes of its states, and say how it ended.

    ``save_at`` are times from that of the stepper to ``t_end``, in order.  The crossings that ``watches`` look for are
    located inside steps; one that stops ends the run there.  An interrupt from the keyboard, a FloatingPointError, a
    pace that is hopeless and, after the first step, any other exception, such as one of an observable, end it too:
    everything up to the last step is kept and the status says what happened.  The caller raises the interrupt on.  A
    checkpoint that cannot be written stops nothing; the next may be.

    >>> from gegenflow.numerics.integrators.adaptive import AdaptiveSteps
    >>> grow = lambda angle, out: np.copyto(out, angle)
    >>> end = drive(AdaptiveSteps(grow, np.ones(1), tol=1e-10), lambda t, x: x[0], t_end=2.0, save_at=[0.0, 1.0])
    >>> np.array(end.saved).round(8), str(end.status)
    (array([1.        , 2.71828183]), 'reached t = 2')
    """
    record: _Record[State, Saved] = _Record(stepper, t_end)
    due = iter(np.asarray(save_at, dtype=np.float64).tolist())
    quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite ends in a status
    with quiet, listening(), progress_bar(progress, stepper.time, t_end) as bar:
        try:
            pending, pace = next(due, None), _Pace(stepper, t_end)
            lookout = record.lookout = Lookout(watches, stepper.at(stepper.time)) if watches else None
            while True:
                while pending is not None and pending <= record.time:
                    record.saved.append((pending, observe(pending, stepper.at(pending))))
                    pending = next(due, None)
                if record.stop or stepper.time >= t_end:
                    break
                before = stepper.time
                stepper.advance(t_end, inf if pending is None else pending, single=lookout is not None)
                if lookout is not None:
                    record.take(lookout.look(stepper.at, before, min(stepper.time, t_end)), watches)
                bar.show(record.time)
                pace.check()
                if checkpoint is not None:
                    record.leave(checkpoint)
        except KeyboardInterrupt as problem:
            take_interrupt()
            return record.ended(problem)
        except Exception as problem:
            if not (stepper.counts[0] or isinstance(problem, FloatingPointError)):
                raise  # nothing has moved yet: what was given does not work at all
            return record.ended(problem)
        return record.ended()


class _Record(Generic[State, Saved]):
    # what a computation has seen so far
    def __init__(self, stepper: Stepper[State], t_end: float) -> None:
        self.stepper, self.t_end = stepper, t_end
        self.saved: list[tuple[float, Saved]] = []
        self.events: list[Event[State]] = []
        self.stop: Event[State] | None = None
        self.lookout: Lookout[State] | None = None
        self.left = monotonic()

    @property
    def time(self) -> float:
        return self.stop.time if self.stop else min(self.stepper.time, self.t_end)

    def take(self, found: list[Event[State]], watches: Sequence[Watch[State]]) -> None:
        self.events += found
        if found and watches[found[-1].which].stops:
            self.stop = found[-1]

    def leave(self, checkpoint: Checkpoint[State, Saved]) -> None:
        if monotonic() - self.left >= checkpoint.every:
            message = f"on its way at t = {self.time:g} of {self.t_end:g}: a checkpoint"
            with interrupts_held(), suppress(OSError):
                checkpoint.save(self.so_far(Status(False, message)))
            self.left = monotonic()

    def ended(self, cause: BaseException | None = None) -> Integration[State, Saved]:
        if cause is not None:
            return self.so_far(_broken_off(cause, self.time, self.t_end), isinstance(cause, KeyboardInterrupt))
        message, unseen = f"reached t = {self.t_end:g}", self.lookout.unseen if self.lookout else ""
        if self.stop:
            message = f"stopped at t = {self.time:g} where {self.stop.name} is {self.stop.value:g}"
        return self.so_far(Status(not unseen, f"{message}{unseen}"))

    def so_far(self, status: Status, interrupted: bool = False) -> Integration[State, Saved]:
        steps, evaluations, rejected = self.stepper.counts
        return Integration(
            t=np.array([time for time, _ in self.saved]),
            saved=[what for _, what in self.saved],
            state=self.stop.state if self.stop else self.stepper.at(self.time),
            reached=self.time,
            steps=steps,
            evaluations=evaluations,
            rejected=rejected,
            status=status,
            events=tuple(self.events),
            memory=self.stepper.memory(self.time),
            interrupted=interrupted,
        )


class _Pace:
    # looks every 10,000 steps
    def __init__(self, stepper: Stepper[State], t_end: float) -> None:
        self.stepper, self.t_end = stepper, t_end
        self.steps, self.time = 0, stepper.time

    def check(self) -> None:
        steps = self.stepper.counts[0]
        if steps >= self.steps + PACED:
            check_pace(self.time, self.stepper.time, self.t_end, self.stepper.hopeless)
            self.steps, self.time = steps, self.stepper.time


def _broken_off(cause: BaseException, reached: float, t_end: float) -> Status:
    if isinstance(cause, KeyboardInterrupt):
        return Status(False, f"interrupted at t = {reached:g} of {t_end:g}; everything up to there is kept")
    if not isinstance(cause, FloatingPointError):
        return Status(False, f"stopped at t = {reached:g} of {t_end:g}: {type(cause).__name__}: {cause}")
    remedy = getattr(cause, "remedy", "try a smaller t_end")
    return Status(False, f"stopped at t = {reached:g} of {t_end:g}: {cause}{'; ' * bool(remedy)}{remedy}")


def check_pace(before: float, now: float, t_end: float, hopeless: float = HOPELESS) -> None:
    """Give up a run of which 10,000 steps have passed less than a millionth of the time that is left, or so.

    >>> check_pace(0.0, 1.0, 1e9)
    Traceback (most recent call last):
    FloatingPointError: at this pace it takes over 1e+10 steps; where tokens that have met hold it up, use merge
    """
    if (now - before) * hopeless < t_end - now:
        problem = f"at this pace it takes over {PACED * hopeless:.0e} steps"
        raise FloatingPointError(f"{problem}; where tokens that have met hold it up, use merge")
