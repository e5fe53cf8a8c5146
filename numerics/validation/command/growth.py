"""``gegenflow growth``: certified growth rates.

>>> from gegenflow.numerics.validation.command.main import main
>>> main("growth --dim 2 --beta 5 6 --degree 3 --digits 8".split())
dim  degree  beta  model  rate       error
2    3       5     usa    18.596070  3.1e-7
2    3       6     usa    45.225810  4.5e-7
0
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from gegenflow.numerics.validation.command.arguments import DEGREE, DIM, flat
from gegenflow.numerics.validation.command.interaction import add_interaction, kernel_of
from gegenflow.numerics.validation.command.output import TABLES, provenance, show_table
from gegenflow.numerics.validation.command.parser import (
    add_betas,
    add_digits,
    add_list,
    add_model,
    add_table,
    subcommand,
)

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands
    from gegenflow.theory.exact.tables import Row, Table


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    sub = subcommand(commands, "growth", run, "certified growth rates of the harmonics of the uniform state", TABLES)
    add_list(sub, "--dim", DIM, "dimensions: 2 3 8 or 2:8", required=True)
    add_list(sub, "--degree", DEGREE, "degrees: 1 2 or 1:8", required=True)
    add_betas(sub)
    add_model(sub)
    add_interaction(sub)
    add_digits(sub)
    add_table(sub, layouts=True)


def run(options: Namespace) -> int:
    """Print a row for each dim, beta and degree."""
    return show_table(_rows(options), options, provenance(options), lambda table: table.wide("rate", down=_down(table)))


def _down(table: Table) -> Sequence[str]:
    """What varies down a wide table: the dimension, beta or both."""
    varying = [name for name in ("dim", "beta") if name in table.columns and len({*table[name]}) > 1]
    return varying or [name for name in ("beta", "dim") if name in table.columns][:1]


def _rows(options: Namespace) -> Iterator[Row]:
    from gegenflow.theory.phases.tables import growth_rows

    kernel, degrees = kernel_of(options), flat(options.degree)
    betas = flat(options.beta) if options.beta else [None]
    facts = {"model": options.model, "kernel": kernel, "noise": options.noise or 0, "digits": options.digits}
    for dim, beta in product(flat(options.dim), betas):
        yield from growth_rows([dim], degrees, beta, **facts)
