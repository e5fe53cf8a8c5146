"""``gegenflow phase``: which degree is selected.

>>> from gegenflow.numerics.validation.command.main import main
>>> main("phase --dim 3 --kernel relu(t) --digits 5".split())
dim 3, kernel relu(t), noise 0, USA
degree 2 grows fastest, at rate 0.20000
0
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from gegenflow import theory as th
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.command.arguments import Real, Whole, flat
from gegenflow.numerics.validation.command.interaction import add_interaction, kernel_of
from gegenflow.numerics.validation.command.output import (
    TABLES,
    as_json,
    check_caption,
    provenance,
    show_and_keep,
    show_table,
    telling,
)
from gegenflow.numerics.validation.command.parser import (
    add_betas,
    add_degree_limit,
    add_digits,
    add_dim,
    add_model,
    add_table,
    subcommand,
)

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands
    from gegenflow.theory.exact.tables import Row
    from gegenflow.theory.kernels.kernel import Kernel

TOKENS = Whole("the number of tokens must be an integer", 2, 10**30)
AMPLITUDE = Real("> 0 and < 1", lambda level: 0 < level < 1)


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    help = "the degree that grows fastest, from which beta to which, and which wins from finitely many tokens"
    sub = subcommand(commands, "phase", run, help, TABLES)
    add_dim(sub, "dimension", required=True)
    add_betas(sub)
    add_model(sub)
    add_interaction(sub)
    add_degree_limit(sub, "highest degree to compare, and with --tokens the last that races")
    sub.add_argument("--tokens", type=TOKENS, help=f"which degree wins from so many tokens? {TOKENS}")
    text = f"with --tokens: level of A_k that counts as emerged, {AMPLITUDE} (default 0.3)"
    sub.add_argument("--amplitude", type=AMPLITUDE, help=text)
    add_digits(sub)
    add_table(sub)


def run(options: Namespace) -> int:
    """Print the selected degree, its rate and its interval of beta, and the chances of all degrees; or a table."""
    _check(options)
    kernel, betas = kernel_of(options), flat(options.beta) if options.beta else [None]
    limit = {} if options.max_degree is None else {"max_degree": options.max_degree}
    held = provenance(options) | limit
    if len(betas) > 1:
        return show_table((_row(_facts(options, kernel, beta)) for beta in betas), options, held)
    check_caption(options)
    with telling("comparing the degrees"):
        facts = _facts(options, kernel, betas[0])
    told = {"json": as_json(facts), "text": "\n".join(_lines(facts))}
    return show_and_keep(th.Table((_row(facts),), held), options, told)


def _facts(options: Namespace, kernel: Kernel | None, beta: str | None) -> dict[str, Any]:
    """What there is to say at one beta."""
    facts = _selected(options, kernel, beta)
    return facts | (_from_tokens(options, kernel, beta) if options.tokens else {})


def _row(facts: Mapping[str, Any]) -> Row:
    """Of all this what a row of a table holds; an end that was not found is empty, and of tokens the likeliest."""
    row = {"dim": facts["dim"]} | ({} if facts["beta"] is None else {"beta": facts["beta"]})
    row |= {"degree": facts["degree"], "rate": facts["rate"]}
    row |= {name: facts[name] or "" for name in ("lower", "upper")}
    if "tokens" in facts:
        likeliest = max(facts["selection"], key=facts["selection"].get)
        row |= {"tokens": facts["tokens"], "amplitude": facts["amplitude"], "first": int(likeliest)}
        row |= {"chance": facts["selection"][likeliest], "emergence_time": facts["emergence_time"]}
    return row


def _check(options: Namespace) -> None:
    if options.amplitude is not None and not options.tokens:
        raise Refused("amplitude", options.amplitude, "it goes with --tokens")
    if options.tokens and Fraction(options.noise or 0) > 0:
        raise Refused("tokens", options.tokens, "the law of finitely many tokens is for --noise 0")
    if options.max_degree is not None and not _compares(options) and not options.tokens:
        raise Refused("max_degree", options.max_degree, "it goes with --kernel, --noise or --tokens")


def _compares(options: Namespace) -> bool:
    """Whether the rates of the degrees are compared one by one, not so for the exponential kernel alone."""
    return options.kernel is not None or options.noise is not None


def _selected(options: Namespace, kernel: Kernel | None, beta: str | None) -> dict[str, Any]:
    here = th.phase(
        beta,
        options.dim,
        model=options.model,
        kernel=kernel,
        noise=options.noise or 0,
        digits=options.digits,
        max_degree=options.max_degree if _compares(options) else None,
    )
    lower = here.lower.value if here.lower else "0" if here.degree <= 1 and kernel is None else None
    facts = {"dim": here.dim, "beta": beta, **provenance(options), "degree": here.degree}
    facts |= {"rate": here.rate.value, "lower": lower, "upper": here.upper.value if here.upper else None}
    return facts | {"max_degree": options.max_degree if _compares(options) else None}


def _from_tokens(options: Namespace, kernel: Kernel | None, beta: str | None) -> dict[str, Any]:
    law = th.finite_tokens.selection_law(
        options.dim,
        beta,
        options.tokens,
        amplitude=0.3 if options.amplitude is None else options.amplitude,
        model=options.model,
        kernel=kernel,
        max_degree=options.max_degree,
    )
    facts: dict[str, Any] = {"tokens": law.tokens, "amplitude": law.amplitude, "emergence_time": law.mean}
    facts |= {"last_degree": law.max_degree}
    facts |= {"selection": {str(degree): chance for degree, chance in law.selection.items()}}
    return facts | {"already": law.already, "error": law.error}


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    named = [f"{name} {facts[name]}" for name in ("dim", "beta", "kernel", "noise") if facts[name] is not None]
    yield f"{', '.join(named)}, {facts['model'].upper()}"
    compared = f" of degrees 1 to {facts['max_degree']}" if facts["max_degree"] else ""
    if facts["degree"]:
        yield f"degree {facts['degree']} grows fastest{compared}, at rate {facts['rate']}{_interval(facts)}"
    elif compared:
        yield f"none{compared} grows{_interval(facts)}; no higher one was looked at"
    else:
        yield f"the uniform state is stable{_interval(facts)}"
    if "tokens" in facts:
        yield from _chances(facts)


def _interval(facts: Mapping[str, Any]) -> str:
    """Where the same is said of beta; nothing where the kernel holds none."""
    if facts["beta"] is None:
        return ""
    lower, upper = facts["lower"], facts["upper"]
    ends = f"from {lower} to {upper}" if lower and upper else f"from {lower}" if lower else f"up to {upper}"
    open_end = "" if lower and upper else ", and no boundary was found on the other side"
    return f",\nas for beta {ends}{open_end}" if lower or upper else ", and no boundary in beta was found"


def _chances(facts: Mapping[str, Any]) -> Iterator[str]:
    race = f"the first of degrees 1 to {facts['last_degree']} to reach amplitude {facts['amplitude']:g}"
    yield f"from {facts['tokens']} uniform tokens {race} is"
    chances = facts["selection"] | {"any, at the start already,": facts["already"]}
    yield from (f"  {degree} with probability {chance:.4f}" for degree, chance in chances.items() if chance >= 5e-5)
    yield f"after a mean time of {facts['emergence_time']:.6g}"
