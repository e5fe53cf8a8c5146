"""``gegenflow critical``: certified boundaries between the degrees.

>>> from gegenflow.numerics.validation.command.main import main
>>> main("critical --dim 3 --degree 1:2 --digits 8".split())
dim  degree  beta       error
3    1       1.8161545  2.6e-8
3    2       4.4252930  1.3e-8
0
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gegenflow import theory as th
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.command.arguments import BETA, DEGREE, DIM, flat
from gegenflow.numerics.validation.command.interaction import add_interaction, read_kernel
from gegenflow.numerics.validation.command.output import TABLES, provenance, show_table
from gegenflow.numerics.validation.command.parser import (
    add_degree_limit,
    add_digits,
    add_list,
    add_model,
    add_table,
    subcommand,
)

if TYPE_CHECKING:
    from gegenflow.numerics.validation.command.parser import Commands
    from gegenflow.theory.exact.tables import Row


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    help = "certified critical inverse temperatures: row k is the boundary between degrees k and k+1"
    sub = subcommand(commands, "critical", run, help, TABLES)
    add_list(sub, "--dim", DIM, "dimensions: 2 3 8 or 2:8", required=True)
    add_list(sub, "--degree", DEGREE, "degrees: 1 2 or 1:8")
    add_model(sub)
    add_interaction(sub)
    help = f"with --kernel or --noise: all boundaries in this interval of beta, each end {BETA}"
    sub.add_argument("--between", type=BETA, nargs=2, metavar=("LOW", "HIGH"), help=help)
    add_degree_limit(sub)
    add_digits(sub)
    add_table(sub, layouts=True)


def run(options: Namespace) -> int:
    """Print a row for each boundary."""
    plain = options.kernel is None and options.noise is None
    across = "degree" if plain else ("degree", "next")
    return show_table(
        _known(options) if plain else _found(options),
        options,
        provenance(options) | ({} if plain else _searched(options)),
        lambda table: table.wide("beta", across),
    )


def _searched(options: Namespace) -> dict[str, str | int]:
    limit = {} if options.max_degree is None else {"max_degree": options.max_degree}
    return {"between": " to ".join(options.between or ()), **limit}


def _known(options: Namespace) -> Iterator[Row]:
    """The boundaries of the exponential kernel, one between each degree and the next."""
    from gegenflow.theory.phases.tables import critical_rows

    if not options.degree:
        raise Refused("degree", None, "the degrees are needed, such as 1:8 (or --kernel or --noise, with --between)")
    for name in ("between", "max_degree"):
        if getattr(options, name) is not None:
            raise Refused(name, None, "it goes with --kernel or --noise; otherwise give --degree")
    return critical_rows(flat(options.dim), flat(options.degree), options.digits)


def _found(options: Namespace) -> Iterator[Row]:
    """All boundaries of any kernel in an interval, of the asked degrees if there are any."""
    from gegenflow.theory.phases.tables import boundary_rows

    if not options.between:
        allowed = "the ends of an interval of beta are needed with --kernel or --noise, such as 1 8"
        raise Refused("between", None, allowed)
    kernel = th.Kernel.exponential() if options.kernel is None else read_kernel(options.kernel)
    if "beta" not in kernel.parameters:
        raise Refused("kernel", options.kernel, "it holds no beta, so no boundary in beta")
    facts = {"model": options.model, "noise": options.noise or 0, "digits": options.digits}
    rows = boundary_rows(flat(options.dim), kernel, tuple(options.between), max_degree=options.max_degree, **facts)
    degrees = flat(options.degree or [])
    return (row for row in rows if not degrees or row["degree"] in degrees)
