"""What every integrator shares: how a computation ended, and whether its pace can reach the end."""

from dataclasses import dataclass

import numpy as np

from gegenflow.numerics.tokens.geometry import Array

PACED, HOPELESS = 10_000, 1e6  # steps between two looks at the pace, and how many more times as many are too many
SAFETY, MOST_SHRINKING, MOST_GROWTH = 0.85, 0.1, 10.0  # 0.9 has twice as many rejected steps


@dataclass(frozen=True)
class Status:
    """Whether a computation reached its end, and if not what happened and what to do; true where it is ok.

    >>> print(Status(True, "reached t = 2"))
    reached t = 2
    >>> bool(Status(False, "interrupted at t = 1"))
    False
    """

    ok: bool
    message: str

    def __str__(self) -> str:
        return self.message

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True, eq=False)
class Integration:
    """Outcome of :func:`integrate`: ``tokens``, or angles, at time ``reached``; ``t`` the saved times.

    ``next_step`` is what the control of the step size proposes for going on, nan where there is no such control.
    """

    t: Array
    tokens: Array
    reached: float
    steps: int
    evaluations: int
    status: Status
    rejected: int = 0
    next_step: float = np.nan
    stopped: bool = False


def broken_off(cause: BaseException, reached: float, t_end: float, remedy: str) -> Status:
    """The status of a run that an interrupt or a FloatingPointError ended before its time.

    >>> print(broken_off(FloatingPointError("the velocity is not finite"), 0.5, 2.0, "try a smaller t_end"))
    stopped at t = 0.5 of 2: the velocity is not finite; try a smaller t_end
    """
    if isinstance(cause, KeyboardInterrupt):
        return Status(False, f"interrupted at t = {reached:g} of {t_end:g}; everything up to there is kept")
    return Status(False, f"stopped at t = {reached:g} of {t_end:g}: {cause}; {remedy}")


def check_pace(before: float, now: float, t_end: float, hopeless: float = HOPELESS) -> None:
    """Give up a run of which 10,000 steps have passed less than a millionth of the time that is left, or so.

    >>> check_pace(0.0, 1.0, 1e9)
    Traceback (most recent call last):
    FloatingPointError: at this pace it takes over 1e+10 steps; where tokens that have met hold it up, use merge
    """
    if (now - before) * hopeless < t_end - now:
        raise FloatingPointError(
            f"at this pace it takes over {PACED * hopeless:.0e} steps; where tokens that have met hold it up, use merge"
        )
