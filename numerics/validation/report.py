"""The verdict on many checks: each by itself, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from math import inf
from typing import TYPE_CHECKING, Any

from gegenflow.numerics.tokens.values import Value
from gegenflow.numerics.validation.checks import ALARMS, Check, refuted

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_SHOWN = 10


@dataclass(frozen=True, eq=False, repr=False)
class Report(Value):
    """The checks of one validation: prints as tables; ``passed`` if it was completed and no check stands against it.

    A true theory fails one check in 370, so that of many some differ by chance. What counts against all of them
    together is what Holm's correction leaves at that rate (:attr:`refuted`), and every check that could not tell.

    :param checks: each a :class:`Check`
    :param parameters: what was asked for, by name
    :param status: "complete", "incomplete" or "interrupted"
    :param seconds: that it took
    :param notes: what was left out, and why; default ()

    See also :func:`.validate`, :func:`.plot_checks`.
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
    def refuted(self) -> tuple[Check, ...]:
        """The checks that differ by more than chance explains among so many: Holm's step-down at 1 in 370.

        >>> one, *others = [Check("a", 1.0, 1.0 + off, 0.01) for off in (0.031, *[0.0] * 99)]
        >>> Report((one,), {}, "complete", 0.0).refuted == (one,), Report((one, *others), {}, "complete", 0.0).refuted
        (True, ())
        """
        ranked = sorted(self.checks, key=lambda check: check.chance)
        return tuple(ranked[: refuted(check.chance for check in ranked)])

    @property
    def false_alarms(self) -> float:
        """How many checks of a true theory are to be expected to differ."""
        return ALARMS * len(self.checks)

    @property
    def passed(self) -> bool:
        """Whether the validation ran to its end, every check could tell, and none is refuted."""
        told = all(check.verdict in ("agrees", "differs") for check in self.checks)
        return self.complete and bool(self.checks) and told and not self.refuted

    def to_dict(self) -> dict[str, Any]:
        """What ``gegenflow validate --format json`` prints."""
        facts = {"status": self.status, "notes": list(self.notes), "seconds": round(self.seconds, 3)}
        facts |= {"false_alarms": self.false_alarms, "refuted": len(self.refuted)}
        return {"passed": self.passed, **self.parameters, **facts, "checks": [c.to_dict() for c in self.checks]}

    def to_rows(self) -> list[dict[str, Any]]:
        """One row a check, its nearest rival beside it."""
        return [_row(check) for check in self.checks]

    def to_pandas(self) -> DataFrame:
        """The rows as a table of pandas (extra ``tables``)."""
        from pandas import DataFrame

        return DataFrame(self.to_rows())

    def __str__(self) -> str:
        width = max((len(check.name) for check in self.checks), default=0)
        lines = []
        for law, checks in groupby(self.checks, key=lambda check: check.law):
            lines.append(f"{law:<{width + 2}}  {'predicted':<18}{'measured':<18}{'error bar':<11}off by")
            lines += [_line(check, width) for check in checks]
        return "\n".join([*lines, *self.notes, self.verdict])

    def __repr__(self) -> str:
        failed = [check for check in self.checks if not check.passed]
        rows = [f"  {check.law}, {check.name}: {check.verdict}" for check in failed[:MOST_SHOWN]]
        return "\n".join([f"Report: {self.verdict}", *rows])

    @property
    def verdict(self) -> str:
        """How many checks agree, and how long it took, in one line."""
        failed, count = sum(not check.passed for check in self.checks), f"{len(self.checks)} checks"
        verdict = f"{failed} of {count} failed" if failed else f"all {count} agree" if self.checks else "no check made"
        if failed and self.passed:
            verdict = f"{failed} of {count} differ, as chance explains ({self.false_alarms:.2g} expected)"
        return f"{verdict}  ({self.seconds:.0f} s)" if self.complete else f"{verdict}, but {self.status}"

    def _repr_html_(self) -> str:
        if not self.checks:
            return f"<pre>{escape(str(self))}</pre>"
        rows = self.to_rows()
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(f"<tr>{''.join(f'<td>{escape(_short(v))}</td>' for v in row.values())}</tr>" for row in rows)
        return f"<table><tr>{head}</tr>{body}</table><p>{escape(self.verdict)}</p>"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def nearest_rival(check: Check) -> dict[str, Any]:
    """What is told of the rival that is off by the fewest bars, those off without bound last; nothing of none.

    >>> nearest_rival(Check("rate", 1.0, 1.0, 0.1))
    {}
    """
    rivals = check.to_dict()["rivals"]
    return min(rivals, key=lambda rival: inf if rival["bars"] is None else rival["bars"], default={})


def _row(check: Check) -> dict[str, Any]:
    facts, rival = check.to_dict(), nearest_rival(check)
    facts.pop("rivals")
    facts |= {"off_by": check.off_by, "rival": rival.get("name", ""), "rival_off_by": rival.get("bars")}
    return facts


def _line(check: Check, width: int) -> str:
    numbers = f"{check.predicted:<18.10g}{check.measured:<18.10g}{check.error:<11.1e}"
    verdict = "" if check.passed else f"  FAILED, {check.verdict}"
    return f"  {check.name:<{width}}  {numbers}{check.off_by:.1f} bars{verdict}"
