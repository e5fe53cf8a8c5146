"""``gegenflow derive``: where the growth rate comes from.

>>> from gegenflow.numerics.validation.command.main import main
>>> main("derive --dim 3".split())  # doctest: +ELLIPSIS
Linearised attention flow about the uniform measure, dim 3, USA
...
every step holds
0
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gegenflow import theory as th
from gegenflow.numerics.validation.command.arguments import target
from gegenflow.numerics.validation.command.interaction import add_interaction, read_kernel
from gegenflow.numerics.validation.command.output import (
    as_json,
    file_format,
    keep,
    provenance,
    show,
    telling,
    write_text,
)
from gegenflow.numerics.validation.command.parser import add_dim, add_model, subcommand

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands
    from gegenflow.theory.proofs.steps import Step


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    help = "derive the growth rate from the mean-field equation, verifying every step"
    sub = subcommand(commands, "derive", run, help, ("text", "json", "latex"))
    add_dim(sub, "a dimension (default: any, as the symbol d)")
    add_model(sub)
    add_interaction(sub)
    text = "write it into this file, too: a page in LaTeX (.tex), text (.txt) or JSON (.json)"
    sub.add_argument("--out", type=target(".tex", ".txt", ".json"), help=text)


def run(options: Namespace) -> int:
    """Print the steps and whether each holds."""
    kernel = read_kernel(options.kernel) if options.kernel is not None else None
    with telling("deriving the rate and verifying every step"):
        derivation = th.linearize(kernel, options.dim or th.d, model=options.model, noise=options.noise or 0)
        holds = derivation.check()
    facts = provenance(options) | {"dim": str(derivation.dim), "rate": str(derivation.rate), "checked": holds}
    told = {
        "text": lambda: f"{derivation}\n{'every step holds' if holds else 'a step does not hold'}",
        "json": lambda: as_json(facts | {"steps": [_told(step) for step in derivation.steps]}),
        "latex": lambda: derivation.latex(document=True),
    }
    show(told[options.format]())
    return max(int(not holds), keep(options.out, lambda path: write_text(path, told[file_format(options)]())))


def _told(step: Step) -> dict[str, str]:
    return {"title": step.title, "lhs": str(step.lhs), "rhs": str(step.rhs), "checked": step.checked}
