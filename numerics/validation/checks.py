"""One prediction against its measurement, with the error bar that decides and the rivals that it must refute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm, t

from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.values import Value, record_html

BARS, FAR = 3.0, 5.0
ALARMS = float(2 * norm.sf(BARS))
"""How often a true prediction is called wrong, one in 370; a rival is refuted at ``FAR``, one in 1.7 million."""
WIDEST = 0.05
POWER = 0.9


@dataclass(frozen=True, eq=False)
class Rival(Value):
    """A wrong prediction that someone published or could make, which the measurement must refute.

    ``name`` says what it is, ``predicted`` is its number, ``p_value`` that of the data under the rival, for counts;
    None (default): error bars decide.

    See also :class:`.Check`.
    """

    name: str
    predicted: float
    p_value: float | None = None

    _repr_html_ = record_html


@dataclass(frozen=True, eq=False)
class Check(Value):
    r"""One prediction against its measurement: passed if they agree and every rival is refuted.

    They agree within three error bars, or as many as cover as often under Student's t where the bar comes from few
    runs; a rival is refuted by more than five. One check in 370 of a true prediction fails.

    :param name: what is compared
    :param predicted: the number of the theory
    :param measured: that of the simulation
    :param error: its error bar, >= 0 and at most 5 % of the scale, as a wider one would confirm anything
    :param freedom: degrees of freedom behind the bar, > 0, default inf: it is known
    :param rivals: wrong predictions to refute, each a :class:`Rival`; default (): none
    :param scale: what the bar is compared with; None (default): the size of the prediction
    :param p_value: of counts, that of a chi-square, in [0, 1], which then decides; None (default): error bars do
    :param law: name of the law that it tries, default ""

    >>> Check("rate", predicted=2.0, measured=2.1, error=0.04).verdict
    'agrees'
    >>> Check("rate", predicted=2.0, measured=2.1, error=0.4).verdict
    'bar is too wide: take more tokens or runs'
    >>> Check("rate", predicted=2.0, measured=2.1, error=0.04, rivals=(Rival("twice", 2.25),)).verdict
    'undecided, as twice survives: take more tokens or runs'

    See also :class:`.Rival`, :class:`.Report`, :class:`.Law`.
    """

    name: str
    predicted: float
    measured: float
    error: float
    freedom: float = inf
    rivals: tuple[Rival, ...] = ()
    scale: float | None = None
    p_value: float | None = None
    law: str = ""

    _repr_html_ = record_html

    def __post_init__(self) -> None:
        for name in ("predicted", "measured", "error", "freedom"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def off_by(self) -> float:
        """Distance of prediction and measurement in error bars."""
        return self._bars(self.predicted)

    @property
    def chance(self) -> float:
        """How often a true prediction is off by as much."""
        return float(2 * t.sf(self.off_by, self.freedom)) if self.p_value is None else self.p_value

    @property
    def noticed(self) -> float:
        """The smallest relative deviation that would have been noticed with probability .9; nan for counts."""
        if self.p_value is not None:
            return np.nan
        return float(t.isf(ALARMS / 2, self.freedom) + norm.isf(1 - POWER)) * self.error / self._size

    @property
    def verdict(self) -> str:
        """Whether the check "agrees", "differs", or what keeps it from telling."""
        if self.p_value is None and not 0 <= self.error <= WIDEST * self._size:
            return "bar is too wide: take more tokens or runs"
        if not self.chance >= ALARMS:
            return "differs"
        surviving = [rival.name for rival in self.rivals if not self.refutes(rival)]
        return f"undecided, as {surviving[0]} survives: take more tokens or runs" if surviving else "agrees"

    @property
    def passed(self) -> bool:
        """Whether prediction and measurement agree, and no rival does."""
        return self.verdict == "agrees"

    def refutes(self, rival: Rival) -> bool:
        """Whether the measurement rules the ``rival`` out."""
        if rival.p_value is not None:
            return bool(rival.p_value < 2 * norm.sf(FAR))
        return bool(self._bars(rival.predicted) > t.isf(norm.sf(FAR), self.freedom))

    def to_dict(self) -> dict[str, Any]:
        """What JSON and tables say of it."""
        rivals = [
            {
                "name": rival.name,
                "predicted": finite(rival.predicted),
                "refuted": self.refutes(rival),
                "bars": finite(self._bars(rival.predicted)),
            }
            for rival in self.rivals
        ]
        numbers = {name: finite(getattr(self, name)) for name in ("predicted", "measured", "error", "noticed")}
        facts = {"passed": self.passed, "verdict": self.verdict}
        return {"law": self.law, "name": self.name, **numbers, **facts, "rivals": rivals}

    @property
    def _size(self) -> float:
        return abs(self.predicted) if self.scale is None else self.scale

    def _bars(self, predicted: float) -> float:
        distance = abs(self.measured - predicted)
        return distance / self.error if self.error > 0 else inf if distance > 0 else 0.0


def refuted(chances: Iterable[float]) -> int:
    """How many checks differ by more than chance explains among so many: Holm's step-down at one in 370.

    >>> refuted([1e-3]), refuted([1e-3, 0.5, 0.5, 0.5])
    (1, 0)
    """
    ranked = sorted(chances)
    passed = (place for place, chance in enumerate(ranked) if chance * (len(ranked) - place) >= ALARMS)
    return next(passed, len(ranked))


def told(predicted: float, *rivals: Rival, apart: float = 1e-6) -> tuple[Rival, ...]:
    """The rivals that say something else than the prediction, by more than this share of it.

    >>> told(1.0, Rival("the same", 1.0), Rival("twice", 2.0))
    (Rival(name='twice', predicted=2.0, p_value=None),)
    """
    return tuple(rival for rival in rivals if abs(rival.predicted - predicted) > apart * abs(predicted))


def mean_check(name: str, predicted: float, samples: Array, **options: Any) -> Check:
    """The mean of independent samples against its prediction: standard error, Student's t.

    >>> mean_check("mean", 1.0, np.array([0.9, 1.0, 1.1])).off_by
    0.0
    """
    error = float(np.std(samples, ddof=1) / np.sqrt(len(samples)))
    return Check(name, predicted, float(np.mean(samples)), error, freedom=len(samples) - 1, **options)


def count_check(name: str, chances: Array, counts: Array, rivals: Iterable[tuple[str, Array]] = ()) -> Check:
    r"""Counts against their chances, and against those of rivals, by :math:`\chi^2 = \sum_i (n_i - np_i)^2/(np_i)`.

    ``predicted`` is its mean under the chances (their number less one), or under a rival; classes that the chances
    expect in fewer than five are counted with the next.

    >>> check = count_check("coin", np.array([0.5, 0.5]), np.array([80, 20]), [("a fifth", np.array([0.8, 0.2]))])
    >>> check.verdict, check.measured, round(check.rivals[0].predicted, 6)
    ('differs', 36.0, 36.64)
    """
    counts, chances = np.asarray(counts, dtype=float), np.asarray(chances, dtype=float)
    groups, total = _classes(counts.sum() * chances / chances.sum()), counts.sum()

    def grouped(values: Array) -> Array:
        sums: Array = np.bincount(groups, values).astype(np.float64)
        return sums

    def statistic(shares: Array) -> float:
        expected = np.maximum(total * grouped(shares / shares.sum()), 1e-300)
        return float(((grouped(counts) - expected) ** 2 / expected).sum())

    right, free = grouped(chances / chances.sum()), int(groups.max())
    others = []
    for rival, shares in rivals:
        other = grouped(shares / shares.sum())
        mean = float((other * (1 - other) / right).sum() + total * ((other - right) ** 2 / right).sum())
        others.append(Rival(rival, mean, float(chi2.sf(statistic(shares), free))))
    found = statistic(chances)
    p_value = float(chi2.sf(found, free)) if free else 1.0
    spread = float(np.sqrt(2 * free)) if free else 1.0
    return Check(name, float(free), found, spread, rivals=tuple(others), p_value=p_value)


def extrapolated(sizes: Sequence[float], values: Any, errors: Any) -> tuple[Any, Any]:
    """Limits of what changes as 1/N, from the two largest of three sizes N; bars with what the third says is left.

    >>> sizes = np.array([400, 200, 100])
    >>> limit, bar = extrapolated(sizes, 3 + 8 / sizes, [0.0, 0.0, 0.0])
    >>> print(f"{limit:.12g} {bar:.3f}")
    3 0.000
    """
    first, second, third = sizes
    best = (first * values[0] - second * values[1]) / (first - second)
    coarse = (second * values[1] - third * values[2]) / (second - third)
    left = (best - coarse) * third / (first - third)
    noise = np.hypot(first * errors[0], second * errors[1]) / (first - second)
    return best, np.hypot(noise, left)


def _classes(expected: Array) -> NDArray[np.int64]:
    # the class of each count: neighbours together until five are expected, a rest with the last
    labels, label, held = [], 0, 0.0
    for value in expected:
        labels.append(label)
        held += value
        if held >= 5:
            label, held = label + 1, 0.0
    classes: NDArray[np.int64] = np.minimum(np.array(labels), max(label - 1, 0))
    return classes


def finite(number: float) -> float | None:
    """The number, or None where it is infinite or not a number, which JSON does not know.

    >>> finite(float("nan")), finite(0.5)
    (None, 0.5)
    """
    return number if isfinite(number) else None
