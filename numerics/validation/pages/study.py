"""The page of a study: what was studied, shares of checks against chance, maps, curves, and what failed or differs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from gegenflow.numerics.validation.law import law_named
from gegenflow.numerics.validation.pages.parts import LIBRARIES, document, stated, table
from gegenflow.numerics.validation.pages.study_pictures import pictures
from gegenflow.numerics.validation.pages.study_tables import against_chance, differing, ends, failed, section
from gegenflow.numerics.validation.pictures.study_labels import shown
from gegenflow.numerics.validation.studies.findings import Findings, ordered
from gegenflow.numerics.validation.studies.gathering import findings_of
from gegenflow.numerics.validation.studies.store import reading
from gegenflow.numerics.validation.studies.subjects import SWEPT

MOST_VALUES = 12


def study_page(folder: str | Path) -> str:
    """One self-contained HTML page of a study: what was studied, verdicts against chance, heat maps, curves, failures.

    It needs no network and no script, and may be made while a sweep is at work, of what is done so far. Of a law it has
    the share of checks beyond 1, 2 and 3 error bars against what chance gives, maps of deviations with a verdict in
    each cell, and predicted curves over measured points; of a simulation the means of its observables with standard
    errors. The numbers are those of the table that a sweep writes.

    :param folder: that of the study

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from tempfile import TemporaryDirectory
    >>> from gegenflow.numerics.validation.studies import Study, sweep
    >>> with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     _ = sweep(Study("hitting times", grid={"tokens": [3, 4]}), folder, executor=executor)
    ...     page = study_page(folder)
    >>> "2 runs done, 0 failed, 0 to be made" in page, page.count("<img"), "<script" in page
    (True, 2, False)

    Raises ValueError where the folder holds no study, and where latex2mathml, of the extra ``report``, is not installed
    and the study is of a law. Source: derived here.

    See also :func:`.plot_study_map`, :func:`.plot_study_curves`, :func:`.open_study`, :func:`.report_page`.
    """
    with reading(folder) as store:
        return page_of(findings_of(store))


def page_of(findings: Findings) -> str:
    """The page of what was found."""
    parts = [
        f"<p><b>{findings.told}.</b></p>",
        *_subject(findings),
        *_studied(findings),
        *(against_chance(findings) if findings.law else ends(findings)),
        *pictures(findings),
        *(differing(findings) if findings.law else []),
        *failed(findings),
    ]
    return document(f"gegenflow: a study of {findings.study.do}", parts)


def _subject(findings: Findings) -> list[str]:
    if findings.law:
        return section("The law", *stated(law_named(findings.study.do)))
    starts = {"simulate": "Tokens from a uniform start", "solve_density": "A density from one harmonic or white noise"}
    seen = ", ".join(findings.study.observe) or "nothing"
    return [f"<p>{starts[findings.study.do]}, each point followed in time; observed: {escape(seen)}.</p>"]


def _studied(findings: Findings) -> list[str]:
    """Every parameter with its values, seed and repetitions; versions and machine."""
    study, facts = findings.study, findings.facts
    names = next(iter(findings.points.values()), {})
    rows = [(name, SWEPT[name].text, _values(name, [p[name] for p in findings.points.values()])) for name in names]
    points, each = (
        f"{n:,} {what}{'s' * (n > 1)}" for n, what in ((len(findings.points), "point"), (study.repeat, "run"))
    )
    told = [f"{points}, {each} of each, seed {study.rng}"]
    if study.budget is not None:
        told.append(f"no run begun after {study.budget:g} s")
    if study.adaptive is not None:
        one = study.adaptive
        told.append(f"more runs until the standard error of {one.quantity} is {one.error:g}, at most {one.most:,} each")
    held, machine = facts["versions"], facts["machine"]
    versions = ", ".join(f"{name} {held[name]}" for name in LIBRARIES if name in held)
    made = f"Begun by gegenflow {facts['version']} (Python {machine['python']}, {versions}) on {machine['system']}"
    return section(
        "What was studied",
        f"<p>{escape('; '.join(told))}.</p>",
        table(("parameter", "meaning", "values"), rows),
        f"<p class=small>{escape(made)}, {machine['processor']}, {machine['cores']} cores.</p>",
    )


def _values(name: str, values: Sequence[Any]) -> str:
    texts = [shown(name, value) for value in ordered(values)]
    if len(texts) <= MOST_VALUES:
        return ", ".join(texts)
    return f"{', '.join(texts[: MOST_VALUES - 2])}, …, {texts[-1]} ({len(texts):,} values)"
