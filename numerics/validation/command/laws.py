"""``gegenflow laws``: what can be put on trial."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

import gegenflow
from gegenflow import theory as th
from gegenflow.numerics.validation.command.output import TABLES, show, show_json
from gegenflow.numerics.validation.command.parser import subcommand
from gegenflow.numerics.validation.law import laws

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    subcommand(commands, "laws", run, "list the laws that simulations can put on trial", TABLES)


def run(options: Namespace) -> int:
    """Print every law with its source, parameters and rivals."""
    every = [one.to_dict() for one in laws()]
    if options.format == "json":
        show_json({"version": gegenflow.__version__, "laws": every})
        return 0
    rows = []
    for one in every:
        parameters = " ".join(f"{name}={value}" for name, value in one["parameters"].items() if value is not None)
        facts = {"law": one["name"], "cost": one["cost"], "quick": "yes" if one["quick"] else "no"}
        statement = {} if options.format == "text" else {"statement": f"${one['statement']}$"}
        rows.append(facts | statement | {"parameters": parameters, "source": one["source"]})
    show(th.Table(tuple(rows), {"version": gegenflow.__version__}).to(options.format))
    return 0
