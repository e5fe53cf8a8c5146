"""A law of the theory as an object: what it states, its source, parameters and rivals, and how it is tried."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import numpy as np

from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import Value
from gegenflow.numerics.validation.checks import Check
from gegenflow.numerics.validation.parameters import PARAMETERS, Parameter
from gegenflow.theory.symbols import beta as BETA

ROOMS = (
    "growth",
    "phases",
    "energy",
    "finite_tokens",
    "expansions",
    "noise",
    "noisy_tokens",
    "clusters",
    "arrangements",
    "systems.gathering",
    "systems.synchronization",
    "systems.low_temperature",
    "systems.limit_sets",
    "systems.multihead",
    "systems.nearly_isotropic",
    "systems.causal",
    "systems.lost_middle",
    "systems.spectral_selection",
    "systems.random_layers",
    "systems.random_pairs",
    "systems.common_noise",
)
"""The modules of ``trials`` that hold the laws, in the order in which they are listed."""

Trial = Callable[..., Iterator[Check]]


@dataclass(frozen=True, eq=False)
class Law(Value):
    r"""A statement of the theory that simulations can refute, at any parameters in the stated ranges.

    ``law(rng=0, beta=4)`` puts it on trial and returns its checks, each with a prediction of :mod:`gegenflow.theory`,
    a measurement by :mod:`gegenflow.numerics`, an error bar and rivals.

    :param name: by which :func:`law_named` finds it
    :param statement: its formula, in LaTeX
    :param source: the papers that state it
    :param cost: of a trial at the defaults, "seconds" or "minutes"
    :param quick: whether ``gegenflow validate`` tries it where nothing is named
    :param parameters: meaning, range and default of each of its parameters, a :class:`Parameter` by name
    :param rivals: names of the wrong predictions that it refutes
    :param trial: function of a numpy Generator and the parameters that yields a :class:`Check` each

    >>> law = law_named("hitting times of equiangular tokens")
    >>> law.cost, sorted(law.parameters)
    ('seconds', ['beta', 'model', 'overlap', 'tokens'])
    >>> all(check.passed for check in law(rng=0, beta="0.5"))
    True

    Raises ValueError for a parameter that the law does not have or that is out of range. Source: derived here; each law
    names its own.

    See also :func:`.laws`, :func:`.law_named`, :func:`.validate`.
    """

    name: str
    statement: str
    source: str
    cost: str
    quick: bool
    parameters: Mapping[str, Parameter]
    rivals: tuple[str, ...]
    trial: Trial

    def __call__(self, *, rng: Any = None, **given: Any) -> tuple[Check, ...]:
        """All checks, by a seed or numpy Generator ``rng`` (None, the default: seeded by the system) and ``given``."""
        return tuple(self.checks(np.random.default_rng(rng), **given))

    def checks(self, rng: np.random.Generator, **given: Any) -> Iterator[Check]:
        """Each check as soon as it is made, by the numpy Generator ``rng`` and the parameters that are ``given``."""
        for check in self.trial(rng, **self.values(given)):
            yield replace(check, law=self.name)

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter, as ``given`` or by default, or a refusal of one that is out of range."""
        return taken(f"the law {self.name!r} has", self.parameters, given)

    def to_dict(self) -> dict[str, Any]:
        """What ``gegenflow laws --format json`` prints."""
        defaults = {name: one.default for name, one in self.parameters.items()}
        facts = {"name": self.name, "statement": self.statement, "source": self.source, "cost": self.cost}
        return facts | {"quick": self.quick, "parameters": defaults, "rivals": list(self.rivals)}

    def __repr__(self) -> str:
        return f"Law({self.name!r}: {', '.join(f'{n}={p.default!r}' for n, p in self.parameters.items())})"

    def _repr_latex_(self) -> str:
        return f"${self.statement}$"


def taken(what: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of parameters, as given or by default, or a refusal: ``what`` begins the sentence that lists them.

    Beside a kernel without beta there is no default of beta, which is that of the exponential.

    >>> taken("a law has", {"tokens": Parameter("tokens", "whole", "number of tokens", 2, 10, default=5)}, {})
    {'tokens': 5}
    """
    for name in given:
        if name not in parameters:
            raise Refused(name, repr(given[name]), f"{what} {', '.join(parameters)}")
    values = {name: one.take(given.get(name, one.default)) for name, one in parameters.items()}
    kernel = values.get("kernel")
    if kernel is not None and "beta" in values and "beta" not in given and not kernel.weight.has(BETA):
        values["beta"] = None
    return values


_LAWS: dict[str, Law] = {}


def law(
    name: str,
    statement: str,
    *,
    source: str,
    rivals: tuple[str, ...],
    cost: str = "seconds",
    quick: bool = False,
    **ranges: tuple[Any, Any],
) -> Callable[[Trial], Trial]:
    """Make a law of a function ``trial(rng, **parameters)`` that yields checks.

    Its parameters are the keywords of the function, with their defaults, as :mod:`.parameters` explains them;
    ``ranges`` narrows one for this law.
    """

    def register(trial: Trial) -> Trial:
        found = {}
        for one in list(inspect.signature(trial).parameters.values())[1:]:
            known = replace(PARAMETERS[one.name], default=one.default)
            low, high = ranges.get(one.name, (known.least, known.most))
            found[one.name] = replace(known, least=low, most=high)
        _LAWS[name] = Law(name, statement, source, cost, quick, found, rivals, trial)
        return trial

    return register


def laws() -> tuple[Law, ...]:
    """Every law, in the order of the theory, whoever imported a room of them before.

    >>> [law.name for law in laws()][:2]
    ['planted modes', 'uniform tokens']

    See also :func:`.law_named`, :func:`.validate`.
    """
    rooms = [import_module(f"gegenflow.numerics.validation.trials.{room}").__name__ for room in ROOMS]
    places = {room: place for place, room in enumerate(rooms)}
    return tuple(sorted(_LAWS.values(), key=lambda one: places.get(one.trial.__module__, len(rooms))))


def law_named(name: str) -> Law:
    """The law of this ``name``, of its beginning, or of words that only it has.

    >>> law_named("planted").name
    'planted modes'

    Raises ValueError where there is none, or more than one.

    See also :func:`.laws`.
    """
    if not isinstance(name, str):
        raise Refused("name", repr(name), "it must be the name of a law, a text")
    words = " ".join(name.lower().replace("-", " ").split())
    titles = {one.name.lower().replace("-", " "): one for one in laws()}
    found = {title: one for title, one in titles.items() if f" {words}" in f" {title}"}
    if words in found:
        return found[words]
    if len(found) != 1:
        begins = {title[: len(words)]: one.name for title, one in titles.items()}
        near = [f"did you mean {begins[beginning]}? " for beginning in get_close_matches(words, begins, 1)]
        known = ", ".join(one.name for one in found.values()) or f"{''.join(near)}gegenflow laws lists them"
        raise Refused("name", repr(name), f"it must name one law: {known}")
    return next(iter(found.values()))
