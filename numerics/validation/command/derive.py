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

import gegenflow
from gegenflow import theory as th
from gegenflow.numerics.validation.command.output import show, show_json, telling
from gegenflow.numerics.validation.command.parser import add_dim, add_model, subcommand

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    help = "derive the growth rate from the mean-field equation, verifying every step"
    sub = subcommand(commands, "derive", run, help, ("text", "json", "latex"))
    add_dim(sub, "a dimension (default: any, as the symbol d)")
    add_model(sub)


def run(options: Namespace) -> int:
    """Print the steps and whether each holds."""
    with telling("deriving the rate and verifying every step"):
        derivation = th.linearize(dim=options.dim or th.d, model=options.model)
        holds = derivation.check()
    if options.format == "latex":
        show(derivation.latex())
    elif options.format == "json":
        steps = [
            {"title": step.title, "lhs": str(step.lhs), "rhs": str(step.rhs), "checked": step.how}
            for step in derivation.steps
        ]
        facts = {"version": gegenflow.__version__, "dim": str(derivation.dim), "model": derivation.model}
        facts |= {"kernel": "exp(beta*t)", "noise": "0", "rate": str(derivation.rate)}
        show_json({**facts, "checked": holds, "steps": steps})
    else:
        show(f"{derivation}\n{'every step holds' if holds else 'a step does not hold'}")
    return int(not holds)
