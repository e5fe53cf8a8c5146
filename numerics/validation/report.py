"""Verdicts: predicted against measured, with the error bar that decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from math import inf, isfinite
from typing import Any

from gegenflow.numerics.tokens.values import Value

BARS = 3.0
WIDEST = 0.05
MOST_SHOWN = 10


@dataclass(frozen=True, eq=False)
class Check(Value):
    """One prediction against its measurement; passed if they differ by at most 3 error bars of at most 5 %.

    ``error`` is the error bar of the measurement. Too wide a bar is a failure too, as it would confirm anything:

    >>> Check("planted modes", "degree 1", predicted=2.0, measured=2.1, error=0.04).passed
    True
    >>> Check("planted modes", "degree 1", predicted=2.0, measured=2.1, error=0.4).passed
    False
    """

    section: str
    name: str
    predicted: float
    measured: float
    error: float

    @property
    def verdict(self) -> str:
        """Whether the check "agrees", "differs", or its "bar is too wide" to tell."""
        if not self.error <= WIDEST * abs(self.predicted):
            return "bar is too wide: take more tokens or runs"
        return "agrees" if abs(self.measured - self.predicted) <= BARS * self.error else "differs"

    @property
    def passed(self) -> bool:
        """Whether prediction and measurement agree."""
        return self.verdict == "agrees"

    @property
    def off_by(self) -> float:
        """Distance of prediction and measurement in error bars."""
        distance = abs(self.measured - self.predicted)
        return distance / self.error if self.error > 0 else inf if distance > 0 else 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Report(Value):
    """The checks of one validation: prints as tables, ``passed`` if it was completed and every check agrees.

    ``repr`` is its verdict and the checks that failed, at most ten of them.
    """

    checks: tuple[Check, ...]
    parameters: Mapping[str, Any]
    status: str
    seconds: float = field(compare=False)
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the validation ran to its end."""
        return self.status == "complete"

    @property
    def passed(self) -> bool:
        """Whether the validation ran to its end and every check passed."""
        return self.complete and bool(self.checks) and all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """What ``gegenflow validate --format json`` prints."""
        checks = [
            {
                "name": f"{check.section}: {check.name}",
                **{name: finite(getattr(check, name)) for name in ("predicted", "measured", "error")},
                "passed": check.passed,
            }
            for check in self.checks
        ]
        facts = {"status": self.status, "notes": list(self.notes), "seconds": round(self.seconds, 3)}
        return {"passed": self.passed, **self.parameters, **facts, "checks": checks}

    def __str__(self) -> str:
        width = max((len(check.name) for check in self.checks), default=0)
        lines = []
        for section, checks in groupby(self.checks, key=lambda check: check.section):
            lines.append(f"{section:<{width + 2}}  {'predicted':<18}{'measured':<18}{'error bar':<11}off by")
            lines += [_line(check, width) for check in checks]
        return "\n".join([*lines, *self.notes, self._verdict()])

    def __repr__(self) -> str:
        failed = [check for check in self.checks if not check.passed]
        rows = [f"  {check.section}, {check.name}: {check.verdict}" for check in failed[:MOST_SHOWN]]
        return "\n".join([f"Report: {self._verdict()}", *rows])

    def _verdict(self) -> str:
        failed, count = sum(not check.passed for check in self.checks), f"{len(self.checks)} checks"
        verdict = f"{failed} of {count} failed" if failed else f"all {count} agree" if self.checks else "no check made"
        return f"{verdict}  ({self.seconds:.0f} s)" if self.complete else f"{verdict}, but {self.status}"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def finite(number: float) -> float | None:
    """The number, or None where it is infinite or not a number, which JSON does not know."""
    return number if isfinite(number) else None


def _line(check: Check, width: int) -> str:
    numbers = f"{check.predicted:<18.10g}{check.measured:<18.10g}{check.error:<11.1e}"
    verdict = "" if check.passed else f"  FAILED, {check.verdict}"
    return f"  {check.name:<{width}}  {numbers}{check.off_by:.1f} bars{verdict}"
