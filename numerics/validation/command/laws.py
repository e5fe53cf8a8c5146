"""``gegenflow laws``: what can be put on trial."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gegenflow
from gegenflow import theory as th
from gegenflow.numerics.validation.command.output import TABLES, as_json, check_caption, show_and_keep
from gegenflow.numerics.validation.command.parser import add_table, subcommand
from gegenflow.numerics.validation.law import laws

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    add_table(subcommand(commands, "laws", run, "list the laws that simulations can put on trial", TABLES))


def run(options: Namespace) -> int:
    """Print every law with its source, parameters and rivals."""
    check_caption(options)
    every = [one.to_dict() for one in laws()]
    table = th.Table(tuple(map(_row, every)), {"version": gegenflow.__version__})
    own = {"json": as_json({"version": gegenflow.__version__, "laws": every})}
    own["text"] = str(table.select([name for name in table.columns if name != "statement"]))
    return show_and_keep(table, options, own)


def _row(law: Mapping[str, Any]) -> dict[str, str]:
    parameters = " ".join(f"{name}={value}" for name, value in law["parameters"].items() if value is not None)
    row = {"law": law["name"], "cost": law["cost"], "quick": "yes" if law["quick"] else "no"}
    return row | {"statement": f"${law['statement']}$", "parameters": parameters, "source": law["source"]}
