"""Laws of finitely many tokens: which degree emerges, when, and how far tokens are from the density."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import chi2

from gegenflow import theory as th
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.densities.wasserstein import wasserstein_distance
from gegenflow.numerics.runs.ensembles import emergences
from gegenflow.numerics.tokens.geometry import uniform
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.case import Case
from gegenflow.numerics.validation.checks import Check, Rival, count_check, mean_check
from gegenflow.numerics.validation.law import law
from gegenflow.numerics.validation.measurements import follow, follow_density
from gegenflow.numerics.validation.starts import independent_tokens

ALWAYS = "the fastest degree always"
QUANTILES = (0.1, 0.5, 0.9)
FAINT = 3e-3  # chance of what the law leaves out


@law(
    "finite-token selection",
    r"P(k) = \int f_k(t) \prod_{j \ne k} P(T_j > t)\,dt, \quad "
    r"P(T_k > t) = P\big(\chi^2_{D_k} < N D_k a^2 e^{-2\gamma_k t}\big)",
    source="derived here",
    rivals=(ALWAYS, "every degree that grows alike", "rates a ninth too large"),
    cost="minutes",
    tokens=(100, 1_000_000),
    dim=(2, 16),
    amplitude=(0.01, 0.5),
)
def finite_token_selection(
    rng: np.random.Generator,
    *,
    dim: int = 2,
    beta: Any = 5,
    model: str = "usa",
    kernel: Any = None,
    tokens: int = 5000,
    runs: int = 400,
    amplitude: float = 0.1,
) -> Iterator[Check]:
    """Degrees and times of first emergence over independent runs; larger amplitudes are biased by the next order."""
    case = Case(dim, beta, model, kernel)
    chances = th.finite_tokens.selection_law(dim, beta, tokens, amplitude=amplitude, model=model, kernel=kernel)
    _check_start(chances)
    options: dict[str, Any] = {
        "amplitude": amplitude,
        "max_degree": chances.max_degree,
        "t_end": 6 * chances.quantile(0.999),
    }
    degrees, times = emergences(dim, case.flow, tokens=tokens, runs=runs, rtol=1e-4, rng=rng, **options)
    degrees = np.where(times == 0, 0, degrees)
    shares = np.array([chances.selection.get(k, 0.0) for k in range(1, chances.max_degree + 1)])
    others = {"every degree that grows alike": shares > 1e-6}
    if shares.max() < 0.95:
        others[ALWAYS] = shares == shares.max()
    rest = 1 - chances.already  # what is there at the start is so for the rivals, too
    rivals = [(name, np.array([chances.already, *(rest * chosen / chosen.sum())])) for name, chosen in others.items()]
    counts = np.bincount(degrees[np.isfinite(times)], minlength=len(shares) + 1).astype(float)
    yield count_check(f"{case} N = {tokens} degrees", np.array([chances.already, *shares]), counts, rivals)
    mean = float(chances.mean)
    wrong = (Rival("rates a ninth too large", 0.9 * mean),)
    yield mean_check(f"{case} N = {tokens} mean time", mean, times[np.isfinite(times)], rivals=wrong)
    edges = sorted({*map(chances.quantile, QUANTILES), *[0.0] * (chances.already > 0)})
    laws = ([1 - chances.survival(factor * edge) for edge in edges] for factor in (1, 1 / 0.9))
    right, slower = (np.diff([0.0, *inner, 1.0]) for inner in laws)
    counts = np.diff([0.0, *(np.sum(times <= edge) for edge in edges), len(times)])
    yield count_check(
        f"{case} N = {tokens} times between quantiles", right, counts, [("rates a ninth too large", slower)]
    )


def _check_start(chances: th.finite_tokens.SelectionLaw) -> None:
    """Refuse so few tokens that there is no race, or that degrees which do not grow, and are in none, may be there."""
    if chances.quantile(0.999) == 0:
        what = f"a degree is at amplitude {chances.amplitude} at the start with chance {chances.already:.6f}"
        raise Refused("tokens", chances.tokens, f"{what}; take more")
    idle = [k for k in range(1, chances.max_degree + 1) if k not in chances.rates]
    freedom = np.array([float(th.harmonic_dimension(k, chances.dim)) for k in idle])
    level = chances.tokens * float(chances.amplitude) ** 2
    if (there := float(np.sum(chi2.sf(level * freedom, freedom)))) > FAINT:
        what = f"degrees that do not grow are at amplitude {chances.amplitude} at the start with chance {there:.2g}"
        raise Refused("tokens", chances.tokens, f"{what}; take more")


@law(
    "share of two degrees across a boundary",
    r"P(T_{k+1} < T_k) \approx P(\log F < z - 2\delta m(z)), \quad z = 2\delta\log(N a^2), "
    r"\quad \text{of width} \sim 1/\log N",
    source="derived here",
    rivals=("a sharp transition", "one half on both sides"),
    cost="minutes",
    tokens=(100, 1_000_000),
    dim=(2, 8),
    degree=(1, 4),
    amplitude=(0.01, 0.5),
)
def share_across_boundary(
    rng: np.random.Generator,
    *,
    dim: int = 2,
    degree: int = 2,
    model: str = "usa",
    tokens: int = 2000,
    runs: int = 1000,
    amplitude: float = 0.1,
) -> Iterator[Check]:
    """How often degree k + 1 is first among k and k + 1, below and above their boundary."""
    boundary = float(th.critical_beta(degree, dim))
    width = th.finite_tokens.boundary_width(degree, dim, tokens, amplitude=amplitude)
    for side in (-1.0, 1.0):
        beta = boundary + side * min(2 * width, boundary / 3)
        share = th.finite_tokens.boundary_share(beta, degree, dim, tokens, amplitude=amplitude)
        chances = th.finite_tokens.selection_law(dim, beta, tokens, amplitude=amplitude, model=model)
        options: dict[str, Any] = {"amplitude": amplitude, "max_degree": degree + 5, "rtol": 1e-4, "rng": rng}
        options |= {"t_end": 6 * chances.quantile(0.999)}
        degrees, _ = emergences(dim, Case(dim, beta, model).flow, tokens=tokens, runs=runs, **options)
        counts = np.array([(degrees == degree).sum(), (degrees == degree + 1).sum()], dtype=float)
        sharp = np.array([1.0, 0.0]) if side < 0 else np.array([0.0, 1.0])
        rivals = (("a sharp transition", sharp), ("one half on both sides", np.array([0.5, 0.5])))
        yield count_check(
            f"dim {dim} beta {beta:.4g} degree {degree + 1}", np.array([1 - share, share]), counts, rivals
        )


@law(
    "mean-field distance",
    r"N\,E\,W_2^2(\mu_N, \mu) \to 2\sum_k \frac{e^{2\gamma_k t}}{k^2} \quad (d = 2)",
    source="derived here; arXiv 2410.23228 for the question",
    rivals=("no growth: pi^2/3", "rates twice as large"),
    cost="minutes",
    tokens=(200, 1_000_000),
    time=(0, 10),
    beta=(0, 20),
)
def mean_field_distance(
    rng: np.random.Generator,
    *,
    beta: Any = 5,
    model: str = "usa",
    time: Any = "0.03",
    tokens: int = 4000,
    runs: int = 600,
) -> Iterator[Check]:
    """W_2 between tokens and the uniform density that they were drawn from, squared, over independent runs."""
    case = Case(2, beta, model)
    flat = circle_density(np.ones_like)
    squares = []
    for stream in rng.spawn(runs):
        end = follow(uniform(tokens, 2, rng=stream), case.flow, float(time), save_at=[], rtol=1e-6).tokens
        squares.append(tokens * wasserstein_distance(end, flat) ** 2)
    law_at = th.finite_tokens.mean_field_distance
    twice = float(law_at(str(2 * float(time)), beta, model=model))
    rivals = (Rival("no growth: pi^2/3", np.pi**2 / 3), Rival("rates twice as large", twice))
    yield mean_check(
        f"{case} N = {tokens} t = {time}",
        float(law_at(str(time), beta, model=model)),
        np.array(squares),
        rivals=rivals if float(time) > 0 else (),
    )


@law(
    "mean-field rate",
    r"\big(E\,W_2^2(\mu_N(t), \mu(t))\big)^{1/2} \sim N^{-1/2}, \qquad \mu_0 = 1 + a\cos\theta \quad (d = 2)",
    source="arXiv 2410.23228 for the question; tried here",
    rivals=("N^{-1/4}, the power in many dimensions", "N^{-1}"),
    cost="minutes",
    tokens=(100, 100_000),
    time=(0, 10),
    beta=(0, 20),
    amplitude=(0, 0.9),
)
def mean_field_rate(
    rng: np.random.Generator,
    *,
    beta: Any = 5,
    model: str = "usa",
    time: Any = "0.04",
    amplitude: float = 0.3,
    tokens: int = 500,
    runs: int = 400,
) -> Iterator[Check]:
    """The slope of log W_2 over log N between N tokens and ten times as many, to the density that they approach."""
    case = Case(2, beta, model)
    start = circle_density(lambda angle: 1 + amplitude * np.cos(angle))
    end = follow_density(start, case.flow, float(time), save_at=[]).density
    logs, errors = [], []
    for n in (tokens, 10 * tokens):
        squares = []
        for stream in rng.spawn(runs):
            drawn = independent_tokens(start, n, rng=stream)
            run = follow(drawn, case.flow, float(time), save_at=[], rtol=1e-6)
            squares.append(wasserstein_distance(run.tokens, end) ** 2)
        logs.append(np.log(np.mean(squares)) / 2)
        errors.append(np.std(squares, ddof=1) / np.mean(squares) / np.sqrt(runs) / 2)
    slope, error = float(logs[1] - logs[0]) / np.log(10), float(np.hypot(*errors)) / np.log(10)
    rivals = Rival("N^{-1/4}, the power in many dimensions", -0.25), Rival("N^{-1}", -1.0)
    yield Check(f"{case} a = {amplitude:g} N = {tokens} t = {time}", -0.5, slope, error, runs - 1, rivals=rivals)
