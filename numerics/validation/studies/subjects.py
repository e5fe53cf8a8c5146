"""What a study can do at a point of its parameters: try a law, follow tokens, follow a density."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from gegenflow.numerics import observables
from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density, white_noise
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.observables.texts import names_of
from gegenflow.numerics.runs.meanfield import solve_density
from gegenflow.numerics.runs.particles import simulate
from gegenflow.numerics.tokens.geometry import uniform
from gegenflow.numerics.tokens.refusals import Refused, choose
from gegenflow.numerics.validation.case import Case
from gegenflow.numerics.validation.law import Law, law_named, taken
from gegenflow.numerics.validation.parameters import PARAMETERS, Parameter

Outcome = dict[str, np.ndarray[Any, Any]]
"""What a run leaves: arrays by name."""

FLOW: dict[str, Any] = {"dim": 2, "beta": "5", "model": "usa", "kernel": None, "noise": "0"}
SPAN = {"time": "1"}
EXTRA = {
    "times": Parameter("times", "whole", "saved times, equispaced, the first at 0", 1, 100_000, default=11),
    "rtol": Parameter("rtol", "real", "tolerance of a step", 1e-13, 0.1, default=1e-8),
}
SWEPT = PARAMETERS | EXTRA
"""Every parameter that a study may have."""
STARTS: dict[str, dict[str, Any]] = {"simulate": {"tokens": 1000}, "solve_density": {"degree": None, "amplitude": 1e-3}}
WHITE = 1024
"""Angles of a density of white noise."""


@dataclass(frozen=True)
class Subject:
    """What is done at each point: its parameters, and ``run(rng, **values)``, which gives arrays by name.

    >>> subject_of("simulate", ["Energy"]).run(np.random.default_rng(0), tokens=20, beta="1", time="0")["energy"].shape
    (11,)
    """

    name: str
    parameters: Mapping[str, Parameter]
    run: Callable[..., Outcome]

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter, as given or by default, in a form that a file can hold: the same for equal values.

        >>> subject_of("simulate").values({"beta": "0.50", "dim": 3.0, "tokens": "20"})["beta"]
        '0.5'

        Raises ValueError for one that there is not, or that is out of range.
        """
        numbers = {name: _number(self.parameters.get(name), value) for name, value in given.items()}
        values = taken(f"{self.name} takes", self.parameters, numbers)
        return {name: _plain(self.parameters[name].kind, value) for name, value in values.items()}


def subject_of(do: str, observe: Sequence[str] = ()) -> Subject:
    """The subject of this name: "simulate", "solve_density", or a law.

    >>> subject_of("hitting times").name
    'hitting times of equiangular tokens'

    Raises ValueError for an unknown law, and for observables where none are taken or known.
    """
    if do not in STARTS:
        law = law_named(do)
        if observe:
            raise Refused("observe", ", ".join(observe), "a law measures what it states, it takes no observables")
        return Subject(law.name, law.parameters, lambda rng, **given: _checks(law, rng, given))
    seen = [observable(text) for text in observe]
    names_of(seen)
    defaults = FLOW | STARTS[do] | SPAN
    parameters = {name: replace(PARAMETERS[name], default=default) for name, default in defaults.items()} | EXTRA
    follow = _tokens if do == "simulate" else _density
    return Subject(do, parameters, lambda rng, **given: follow(seen, parameters, rng, given))


def observable(text: str) -> Any:
    """An observable of this package from its name and arguments; nothing is evaluated.

    >>> observable("HarmonicPower(max_degree=3)"), observable("Energy")
    (HarmonicPower(max_degree=3), Energy())

    Raises ValueError for any other text.
    """
    try:
        call = ast.parse(text, mode="eval").body
        called = call if isinstance(call, ast.Call) else ast.Call(call, [], [])
        name = called.func.id if isinstance(called.func, ast.Name) else ""
        arguments = [ast.literal_eval(one) for one in called.args]
        named = {str(one.arg): ast.literal_eval(one.value) for one in called.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        name, arguments, named = "", [], {}
    kind = getattr(observables, name, None) if name in dir(observables) else None
    if not isinstance(kind, type):
        known = [one for one in dir(observables) if isinstance(getattr(observables, one), type)]
        raise Refused("observe", text, f"{choose(name or text, known)}, with its arguments")
    try:
        return kind(*arguments, **named)
    except TypeError as error:
        raise Refused("observe", text, str(error)) from error


def shortest(number: str) -> str:
    """A number without idle zeros, or as it is where it is no decimal.

    >>> shortest("2.50"), shortest("1e1"), shortest("1/3"), shortest("1e-30")
    ('2.5', '10', '1/3', '1E-30')
    """
    try:
        decimal = Decimal(number).normalize()
    except InvalidOperation:
        return number
    return f"{decimal:f}" if -15 <= decimal.adjusted() <= 15 else str(decimal)


def _number(one: Parameter | None, value: Any) -> Any:
    """The number that a text says, of a parameter that takes numbers in floating point or whole ones."""
    if one is None or one.kind not in ("real", "whole") or not isinstance(value, str):
        return value
    try:
        return float(value) if one.kind == "real" else int(value)
    except ValueError:
        raise Refused(one.name, value, f"it must be a {one.kind} number") from None


def _plain(kind: str, value: Any) -> Any:
    """A value as a whole number, a float, a text or None."""
    if value is None or kind in ("real", "whole", "choice"):
        return value
    return str(value.weight) if kind == "kernel" else shortest(str(value))


def _checks(law: Law, rng: np.random.Generator, given: Mapping[str, Any]) -> Outcome:
    checks = list(law.checks(rng, **{name: value for name, value in given.items() if value is not None}))
    numbers = ("predicted", "measured", "error", "freedom", "off_by", "chance")
    found: Outcome = {name: np.array([getattr(check, name) for check in checks], dtype=float) for name in numbers}
    return {
        "name": np.array([check.name for check in checks], dtype=np.str_),
        **found,
        "passed": np.array([check.passed for check in checks], dtype=bool),
        "verdict": np.array([check.verdict for check in checks], dtype=np.str_),
    }


def _case(given: Mapping[str, Any]) -> Case:
    kernel = None if given["kernel"] is None else PARAMETERS["kernel"].take(given["kernel"])
    return Case(given["dim"], given["beta"], given["model"], kernel, given["noise"])


def _tokens(
    seen: Sequence[Any], parameters: Mapping[str, Parameter], rng: np.random.Generator, given: Mapping[str, Any]
) -> Outcome:
    given = {name: given.get(name, one.default) for name, one in parameters.items()}
    start, end = uniform(given["tokens"], given["dim"], rng=rng), float(given["time"])
    flow, times = _case(given).flow, np.linspace(0, end, given["times"])
    accuracy = {} if flow.noise else {"rtol": given["rtol"], "atol": given["rtol"] / 100}
    seed = rng if flow.noise else None
    return _recorded(simulate(start, flow, t_end=end, observe=seen, save_at=times, rng=seed, track=0, **accuracy))


def _density(
    seen: Sequence[Any], parameters: Mapping[str, Parameter], rng: np.random.Generator, given: Mapping[str, Any]
) -> Outcome:
    given = {name: given.get(name, one.default) for name, one in parameters.items()}
    degree, size, dim, end = given["degree"], given["amplitude"], given["dim"], float(given["time"])
    if degree is None and dim > 2:
        raise Refused("degree", None, "beyond the circle a density starts from one degree")
    if degree is None:
        start: Any = circle_density(white_noise(WHITE, size, rng=rng))
    elif dim == 2:
        start = CircleDensity(size * (np.arange(1, 2 * degree + 1) == 2 * degree - 1))
    else:
        start = ZonalDensity(size * (np.arange(1, degree + 1) == degree), dim)
    times = np.linspace(0, end, given["times"])
    run = solve_density(start, _case(given).flow, t_end=end, observe=seen, save_at=times, rtol=given["rtol"])
    return _recorded(run)


def _recorded(run: Any) -> Outcome:
    found = {"t": run.t, **{name: np.asarray(values) for name, values in run.observables.items()}}
    return found | {"ok": np.array(run.status.ok), "status": np.array(str(run.status), dtype=np.str_)}
