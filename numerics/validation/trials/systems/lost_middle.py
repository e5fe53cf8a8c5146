"""Laws of the lost middle: where what is kept of earlier tokens is least, its shapes, and when they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gegenflow import theory as th
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.validation.checks import Check, Rival, extrapolated, told
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import Unfinished
from gegenflow.numerics.validation.trials.systems.causal import APART, correlations

DEGREES = 7
NEGLIGIBLE = 1e-6
"""Weight of a degree in a profile, relative to the first, below which it is left out."""
SHARES = (1, 3, 9)
"""Parts of the tokens whose profiles are extrapolated to infinitely many."""
ABOUT = (0.9, 1.0, 1.1)
"""Times about that of a fold, relative to it."""


@law(
    "lost middle",
    r"1 - e^{-\lambda s} = F'(Y)/F(Y), \qquad F = \sum_n e^{-\pi^2n^2/2M^2} a_n\,{}_0F_1(;2; a_n t Y)",
    source="arXiv 2605.09213 for the U; its minimum is derived here",
    rivals=("the least memory halfway", "no decay: the last token"),
    cost="minutes",
    beta=(0.5, 2),
    decay=(0.5, 4),
    tokens=(60, 4000),
    codewords=(2, 100),
    time=(0.05, 2),
    runs=(8, 10_000),
)
def lost_middle(
    rng: np.random.Generator,
    *,
    beta: Any = 1,
    decay: Any = 1,
    codewords: int = 10,
    time: Any = 1,
    tokens: int = 2000,
    runs: int = 12,
) -> Iterator[Check]:
    """The least value of a smooth log S about a coarse minimum; what half the tokens say is in the bar."""
    setting = {"beta": beta, "decay": decay, "codewords": codewords}
    position = th.causal.retrieval_minimum(**setting, time=time)
    if position is None:
        raise Unfinished("at these parameters the profile has no minimum")
    coarse = np.geomspace(0.01, 0.9, 10)
    rough = _profiles(setting, float(time), tokens, coarse, 4, rng).mean(axis=0)
    least = coarse[int(np.argmin(rough))]
    near = np.geomspace(least / 4, min(3.5 * least, 0.97), 11)
    bends = [_bottoms(near, _profiles(setting, float(time), n, near, runs, rng)) for n in (tokens, tokens // 2)]
    (fine, fine_bar, shift), (half, _, _) = bends
    bar = float(np.linalg.norm([fine_bar, shift, fine - half]))
    name = f"beta {beta} decay {decay} M {codewords} t = {time} log of the minimum"
    rivals = Rival("the least memory halfway", float(np.log(0.5))), Rival("no decay: the last token", 0.0)
    predicted = float(np.log(float(position)))
    yield Check(name, predicted, fine, bar, rivals=told(predicted, *rivals, apart=APART), scale=2.0)


@law(
    "profile beyond the smallness condition",
    r"\lambda > \lambda_*, \quad t_1 < t < t_2: \quad \text{a minimum and a maximum}",
    source="derived here; the condition is that of arXiv 2605.09213",
    rivals=("the smallness condition is needed: no minimum",),
    cost="minutes",
    beta=(0.5, 2),
    decay=(4, 8),
    tokens=(1000, 100_000),
    codewords=(2, 100),
    time=(2, 8),
    runs=(8, 10_000),
)
def beyond_smallness(
    rng: np.random.Generator,
    *,
    beta: Any = 1,
    decay: Any = 5,
    codewords: int = 10,
    time: Any = "5.2",
    tokens: int = 6000,
    runs: int = 24,
) -> Iterator[Check]:
    """Ratios of the profile at the predicted turns and the end, extrapolated from a ninth of the tokens on."""
    setting = {"beta": beta, "decay": decay, "codewords": codewords}
    turns = th.causal.retrieval_extrema(**setting, time=time)
    small = float(th.causal.smallness_time(beta=beta, decay=decay))
    if len(turns) != 2 or not small < float(time):
        raise Unfinished("at these parameters the profile is no N beyond the smallness condition")
    places = np.array([*map(float, turns), 1.0])
    heights = np.log([float(th.causal.retrieval_profile(s, beta, decay, codewords, time)) for s in places])
    sizes = [tokens // share for share in SHARES]
    samples = [_profiles(setting, float(time), n, places, runs, rng) for n in sizes]
    found, bars = extrapolated(sizes, *zip(*(_jackknife(one, _log_steps) for one in samples), strict=True))
    names = ("from the minimum to the maximum", "from the maximum to the end")
    rivals = ((Rival("the smallness condition is needed: no minimum", 0.0),), ())
    for k, (name, wrong) in enumerate(zip(names, rivals, strict=True)):
        text = f"beta {beta} decay {decay} M {codewords} t = {time} log of the step {name}"
        predicted = float(heights[k + 1] - heights[k])
        yield Check(text, predicted, float(found[k]), float(bars[k]), rivals=wrong, scale=1.0)


@law(
    "fold of the lost middle",
    r"\max_s \partial_s S_t(s) > 0 \ (t < t_2), \qquad = 0 \ (t = t_2), \qquad < 0 \ (t > t_2)",
    source="derived here",
    rivals=("the middle is lost until the end ceases to rise",),
    cost="minutes",
    beta=(0.5, 2),
    decay=(2, 6),
    tokens=(300, 100_000),
    codewords=(2, 100),
    runs=(8, 10_000),
)
def fold(
    rng: np.random.Generator,
    *,
    beta: Any = 1,
    decay: Any = 3,
    codewords: int = 2,
    tokens: int = 2970,
    runs: int = 60,
) -> Iterator[Check]:
    """When the steepest rise of a smooth log S ends, from three times; extrapolated from a ninth of the tokens on."""
    setting = {"beta": beta, "decay": decay, "codewords": codewords}
    last = th.causal.fold_time(**setting)
    if last is None:
        raise Unfinished("at these parameters the last turns of the profile end with its recency")
    before = th.causal.retrieval_extrema(**setting, time=f"{0.999 * float(last):.6g}")
    about = float(np.mean([float(turn) for turn in before]))
    places = np.linspace(0.6 * about, min(1.4 * about, 0.95), 8)
    sizes, times = [tokens // share for share in SHARES], [share * float(last) for share in ABOUT]
    found, bars, bent = [], [], []
    for n in sizes:
        samples = _profiles(setting, times, n, places, runs, rng)
        end, bar = _jackknife(samples, lambda profile: _end_of_rise(places, times, profile, 3))
        found.append(end)
        bars.append(bar)
        bent.append(_end_of_rise(places, times, samples.mean(axis=0), 4) - end)
    end, bar = extrapolated(sizes, found, bars)
    first = float(th.causal.recency_time(**setting))
    rivals = (Rival("the middle is lost until the end ceases to rise", first),)
    name = f"beta {beta} decay {decay} M {codewords} time of the fold"
    yield Check(name, float(last), float(end), float(np.hypot(bar, bent[0])), rivals=rivals)


def _profiles(
    setting: dict[str, Any], time: float | list[float], tokens: int, places: Array, runs: int, rng: np.random.Generator
) -> Array:
    """Samples of the retrieval profile, shape=[runs, places], or [runs, times, places]."""
    sources = np.clip(np.round(places * tokens - 0.5), 0, tokens - 1).astype(int).tolist()
    n = np.arange(1, DEGREES + 1)
    kept = np.exp(-((np.pi * n / setting["codewords"]) ** 2) / 2)
    kept = kept[kept > NEGLIGIBLE * kept[0]]
    grid = max(4, len(kept) + 1)
    samples = correlations(setting["beta"], setting["decay"], time, tokens, sources, len(kept), runs, rng, grid)
    profiles: Array = samples @ kept
    return profiles


def _bottoms(places: Array, profiles: Array) -> tuple[float, float, float]:
    """Log of the place of the least value of a smooth fit, its standard error (jackknife), what a term more adds."""
    runs, total = len(profiles), profiles.sum(axis=0)
    fine = np.geomspace(places[0], places[-1], 2001)

    def bottom(profile: Array, terms: int) -> float:
        fit = np.linalg.lstsq(_terms(places, terms), np.log(profile), rcond=None)[0]
        return float(np.log(fine[int(np.argmin(_terms(fine, terms) @ fit))]))

    left = np.array([bottom((total - one) / (runs - 1), 4) for one in profiles])
    whole = bottom(total / runs, 4)
    return whole, float(np.sqrt((runs - 1) * left.var())), bottom(total / runs, 5) - whole


def _terms(places: Array, terms: int) -> Array:
    logs = np.log(places)
    return np.stack([np.ones_like(logs), logs, logs**2, places, logs**3][:terms], axis=1)


def _log_steps(profile: Array) -> Array:
    """Logs of the ratios of neighbouring values."""
    return np.diff(np.log(profile))


def _end_of_rise(places: Array, times: list[float], profiles: Array, order: int) -> Array:
    """The time at which the steepest slope of log S, of a fit by a polynomial of this order over places, is zero."""
    fine = np.linspace(places[0], places[-1], 400)
    slopes = [np.polyval(np.polyder(np.polyfit(places, np.log(one), order)), fine).max() for one in profiles]
    return np.asarray(np.polyfit(slopes, times, len(times) - 1)[-1])


def _jackknife(samples: Array, statistic: Callable[[Array], Array]) -> tuple[Array, Array]:
    """A statistic of the mean of independent samples, and its standard error."""
    runs, total = len(samples), samples.sum(axis=0)
    left = np.array([statistic((total - one) / (runs - 1)) for one in samples])
    return statistic(total / runs), np.sqrt((runs - 1) * left.var(axis=0))
