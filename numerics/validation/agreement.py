r"""Theory against simulation: the one room where the two sides meet.

Every law simulates tokens or densities, which know nothing of the theory, and compares what it measures with what
:mod:`gegenflow.theory` predicts: see :class:`~gegenflow.numerics.validation.Law`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import product
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from gegenflow.numerics.flows.flow import MODELS
from gegenflow.numerics.tokens.arguments import check_choice, check_dim, check_rng
from gegenflow.numerics.tokens.compiling import in_threads
from gegenflow.numerics.tokens.processes import check_executor
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.checks import Check
from gegenflow.numerics.validation.law import Law, law_named, laws
from gegenflow.numerics.validation.measurements import Unfinished, Unmeasurable
from gegenflow.numerics.validation.report import Report

CENTRE = ("planted modes", "uniform tokens", "energy balance", "angles of emerging clusters")
"""The laws that are tried at every dim and model that is given, where no law is named."""

FIRST = ("planted modes", "intra-cluster rate")
"""The laws that need most compiled code, each another: processes begin with them, and find later what they compiled."""


def validate(
    *names: str,
    dims: Sequence[int] | None = None,
    models: Sequence[str] | None = None,
    rng: int | None = 0,
    progress: bool = False,
    everything: bool = False,
    executor: Executor | None = None,
    **parameters: Any,
) -> Report:
    """Put laws of the theory on trial by simulation: those named, the quick ones, or with ``everything`` all.

    Each law is tried at the given parameters that it has, at its defaults else (:func:`~.laws` lists them); of a list
    of values at each, in its order (the last list runs fastest). Without a name the central laws of growth, energy and
    clusters are tried, in dims 2 and 3 for both models unless given, and where nothing is given the other quick ones
    too, once each. An interrupt keeps the checks made so far, by an executor those of laws that are done; what cannot
    be measured, such as an exact start in high dim, is named in the notes.

    :param names: of laws, or their beginnings; default (): the central and quick ones
    :param dims: each a d of the sphere S^{d-1}, >= 2, for which ``dim`` is short; None (default): those above
    :param models: each "usa" or "sa", for which ``model`` is short; None (default): those above
    :param rng: seed >= 0, default 0; None: seeded by the system
    :param progress: show a bar on a terminal or in a notebook, default False
    :param everything: try all laws, default False
    :param executor: one of ``concurrent.futures``, of processes, each of which tries a law at a time in one thread; the
        checks, and their order, are the same, to the rounding of sums over threads; None (default): this process
    :param parameters: values of the parameters of laws, or lists of them, such as ``beta=[1, 2]``

    >>> report = validate("hitting times", tokens=4, beta="0.5")
    >>> report.passed, report.checks[0].name
    (True, 'n = 4 USA beta 0.5 overlap 0.9')
    >>> [check.name for check in validate("hitting times", beta=[1, 2], overlap="0.5").checks]
    ['n = 8 USA beta 1 overlap 0.5', 'n = 8 USA beta 2 overlap 0.5']
    >>> validate("planted modes", runs=8)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: runs 8: planted modes takes dim, beta, model, kernel

    Raises ValueError for bad input, and a parameter that none of the laws has.

    See also :func:`.laws`, :class:`.Report`, :func:`.validate_tokens`, :func:`.plot_checks`.
    """
    check_rng(rng)
    check_executor(executor, "submit")
    if not isinstance(everything, bool | np.bool):
        raise Refused("everything", repr(everything), "it must be True or False")
    lists = {"dim": _several("dims", dims, check_dim), "model": _several("models", models, _model)}
    lists = {name: values for name, values in lists.items() if values}
    lists |= {name: [parameters.pop(name)] for name in ("dim", "model") if parameters.get(name) is not None}
    swept = [name for name, value in parameters.items() if isinstance(value, list | tuple | np.ndarray)]
    lists |= {name: _listed(name, parameters.pop(name)) for name in swept}
    parameters = {name: value for name, value in parameters.items() if value is not None}
    chosen = [law_named(name) for name in names] or _unnamed(everything, bool(lists or parameters))
    _check_taken(chosen, [*lists, *parameters], parameters)
    central = not (names or everything)
    jobs = [(one, case) for one in chosen for case in _cases(one, lists, parameters, central=central)]
    for one, case in jobs:
        one.values(case)
    facts = {"laws": list(names), "rng": rng} | {f"{k}s": [_plain(x) for x in v] for k, v in lists.items()}
    facts |= {name: _plain(value) for name, value in parameters.items()}
    return _tried(jobs, facts, rng, progress, executor)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else str(getattr(value, "weight", value))


@dataclass
class _Outcome:
    """What the trial of a law has found so far."""

    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    complete: bool = True


def _tried(
    jobs: Sequence[tuple[Law, dict[str, Any]]],
    facts: dict[str, Any],
    rng: Any,
    progress: bool,
    executor: Executor | None,
) -> Report:
    clock, interrupted = perf_counter(), False
    outcomes, streams = [_Outcome() for _ in jobs], np.random.default_rng(rng).spawn(len(jobs))
    trials = [(*job, stream, outcome) for job, stream, outcome in zip(jobs, streams, outcomes, strict=True)]
    places = dict[Future[_Outcome], int]()
    with tqdm(total=len(jobs), disable=None if progress else True, unit="law", leave=False) as bar:
        try:
            if executor is not None:
                names = [one.name for one, *_ in trials]
                first = [names.index(name) for name in FIRST if name in names]
                for place in dict.fromkeys([*first, *range(len(trials))]):
                    places[executor.submit(_alone, *trials[place])] = place
            for place, trial in enumerate(trials if executor is None else ()):
                bar.set_description(f"law {place + 1} of {len(jobs)}: {trial[0].name}")
                _try(*trial)
                bar.update()
            for future in as_completed(places):
                bar.set_description(f"laws, the last of them {trials[places[future]][0].name}")
                bar.update()
        except KeyboardInterrupt:
            interrupted = True
    for future, place in places.items():
        if not future.cancel() and future.done():
            try:
                outcomes[place] = future.result()
            except BrokenExecutor:
                outcomes[place] = _Outcome(
                    notes=[f"{trials[place][0].name}: the process that tried it died"], complete=False
                )
    status = "interrupted" if interrupted else "complete" if all(one.complete for one in outcomes) else "incomplete"
    checks = tuple(check for outcome in outcomes for check in outcome.checks)
    notes = tuple(dict.fromkeys(note for outcome in outcomes for note in outcome.notes))
    return Report(checks, facts, status, perf_counter() - clock, notes)


def _alone(*trial: Any) -> _Outcome:
    """In one thread: the others have their own processes, and nothing is compiled for several."""
    with in_threads(1):
        return _try(*trial)


def _try(one: Law, case: dict[str, Any], stream: np.random.Generator, outcome: _Outcome) -> _Outcome:
    """Each check goes to the outcome as soon as it is made."""
    try:
        for check in one.checks(stream, **case):
            outcome.checks.append(check)
    except Unmeasurable as reason:
        outcome.notes.append(f"left out: {reason}")
    except Unfinished as problem:
        outcome.complete = False
        where = ", ".join(f"{name} {value}" for name, value in case.items())
        outcome.notes.append(f"{one.name}{f' at {where}' if where else ''}: {problem}")
    return outcome


def _unnamed(everything: bool, given: bool) -> list[Law]:
    if everything:
        return list(laws())
    return [law_named(name) for name in CENTRE] if given else [one for one in laws() if one.quick]


def _cases(one: Law, lists: dict[str, list[Any]], given: dict[str, Any], *, central: bool) -> list[dict[str, Any]]:
    if central and one.name in CENTRE:
        lists = {"dim": lists.get("dim", [2, 3]), "model": lists.get("model", list(MODELS))}
        if "dim" not in one.parameters and 2 not in lists["dim"]:
            return []  # a law of the circle, where other dims were asked for
    spread = {name: values for name, values in lists.items() if name in one.parameters}
    shared = {name: value for name, value in given.items() if name in one.parameters}
    return [dict(zip(spread, values, strict=True)) | shared for values in product(*spread.values())]


def _check_taken(chosen: Sequence[Law], names: Sequence[str], given: dict[str, Any]) -> None:
    every = dict.fromkeys(name for one in chosen for name in one.parameters)
    for name in names:
        if name not in every:
            which = chosen[0].name if len(chosen) == 1 else "these laws"
            takes = "takes" if len(chosen) == 1 else "take"
            hint = "".join(f"did you mean {near}? " for near in get_close_matches(name, every, 1))
            raise Refused(name, given.get(name), f"{hint}{which} {takes} {', '.join(every)}")


def _model(model: Any) -> str:
    return check_choice("models", model, MODELS)


def _several(name: str, given: Any, check: Any) -> list[Any]:
    return [] if given is None else list(dict.fromkeys(check(one) for one in _listed(name, given)))


def _listed(name: str, given: Any) -> list[Any]:
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray) or len(given) == 0:
        raise Refused(name, repr(given), "it must be a list of at least one")
    return given.tolist() if isinstance(given, np.ndarray) else list(given)
