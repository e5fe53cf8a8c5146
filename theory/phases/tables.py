"""Tables of certified numbers, and of anything else, as text, CSV, Markdown, LaTeX, HTML or JSON rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, product
from typing import TypedDict, Unpack

from gegenflow import __version__
from gegenflow.theory.exact.arguments import Real
from gegenflow.theory.exact.integers import check_digits, check_items
from gegenflow.theory.exact.tables import Cell, Row, Table
from gegenflow.theory.growth.rates import growth_rate
from gegenflow.theory.kernels.attention import KernelLike, as_kernel
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.phases.critical import critical_beta
from gegenflow.theory.phases.isolation import boundaries
from gegenflow.theory.phases.leaders import Comparison


def _pairs(dims: Iterable[int], degrees: Iterable[int]) -> Iterator[tuple[int, int]]:
    allowed = "a sequence of integers is needed"
    return product(check_items(dims, "dims", allowed), check_items(degrees, "degrees", allowed))


def critical_rows(dims: Iterable[int], degrees: Sequence[int], digits: int = 15) -> Iterator[Row]:
    """Rows of :func:`critical_table`, one at a time."""
    for dim, degree in _pairs(dims, degrees):
        boundary = critical_beta(degree, dim, digits)
        yield {"dim": int(dim), "degree": int(degree), "beta": boundary.value, "error": boundary.error}


def boundary_rows(
    dims: Iterable[int],
    kernel: KernelLike,
    between: tuple[Real, Real],
    digits: int = 15,
    **options: Unpack[Comparison],
) -> Iterator[Row]:
    """All boundaries of any kernel in an interval, by :func:`~gegenflow.theory.phases.boundaries` (its options).

    ``degree`` leads below a boundary, ``next`` above it, 0 is a stable uniform state. A piece of the interval that
    could not be resolved has its ends in the place of the number; where SA ceases to be defined, as the mean of the
    weight vanishes, ``degree`` or ``next`` is "undefined".

    >>> from gegenflow.theory.kernels.attention import KernelLike, as_kernel
    >>> print(Table(tuple(boundary_rows([2], "exp(beta*t)", (1, 5), noise=1, digits=6))))
    dim  degree  next  beta     error
    2    0       1     2.48684  2.4e-6
    2    1       2     3.66437  2.9e-6
    """
    for dim in check_items(dims, "dims", "a sequence of integers is needed"):
        found = boundaries(kernel, dim, between, digits=digits, **options)
        cuts: list[tuple[float, str, str]] = [
            *((float(edge.value), edge.value.value, edge.value.error) for edge in found.boundaries),
            *((low, f"{low:.9g} to {high:.9g}", "unresolved") for low, high in found.unresolved),
        ]
        degrees: list[int | str] = [*found.degrees]
        if found.vanishes is not None:
            cuts.append((float(found.vanishes), found.vanishes.value, found.vanishes.error))
            degrees.insert(len(degrees) if found.reach[0] == found.low else 0, "undefined")
        for (_, value, error), (below, above) in zip(sorted(cuts), pairwise(degrees), strict=True):
            yield {"dim": int(dim), "degree": below, "next": above, str(found.parameter): value, "error": error}


class Growth(TypedDict, total=False):
    """The options of :func:`~gegenflow.theory.growth.growth_rate`."""

    model: str
    kernel: KernelLike | None
    noise: Real
    digits: int


def growth_rows(
    dims: Iterable[int], degrees: Sequence[int], beta: Real | None = None, **options: Unpack[Growth]
) -> Iterator[Row]:
    """Rows of :func:`growth_table`, one at a time."""
    options = {"model": "usa", "digits": 15, **options}
    kernel, noise = options.get("kernel"), options.get("noise", 0)
    more = {"kernel": str(as_kernel(kernel).weight)} if kernel is not None else {}
    more |= {"noise": str(noise)} if noise else {}
    for dim, degree in _pairs(dims, degrees):
        rate = growth_rate(degree, dim, beta, **options)
        facts = {"dim": int(dim), "degree": int(degree)} | ({} if beta is None else {"beta": str(beta)})
        yield {**facts, "model": options["model"], **more, "rate": rate.value, "error": rate.error}


def critical_table(dims: Iterable[int], degrees: Sequence[int], digits: int = 15) -> Table:
    r"""Boundaries :math:`\beta_k(d)` between degrees k and k+1 (:func:`~gegenflow.theory.phases.critical_beta`).

    Its ``facts`` are the version, the kernel, the noise and the digits.

    :param dims: dimensions d of the spheres S^{d-1}, each >= 2
    :param degrees: degrees that are overtaken, each >= 1
    :param digits: significant digits to certify, >= 1 (default 15)

    Raises Refused for dim < 2, degree < 1 or digits < 1.

    See also :func:`.phases.critical_beta`, :func:`.growth_table`.
    """
    return Table(tuple(critical_rows(dims, degrees, digits)), _facts(digits=digits))


def growth_table(
    dims: Iterable[int], degrees: Sequence[int], beta: Real | None = None, **options: Unpack[Growth]
) -> Table:
    """Growth rates (:func:`~gegenflow.theory.growth.growth_rate`, its options), with beta as it was given.

    Its ``facts`` are the version and the options.

    :param dims: dimensions d of the spheres S^{d-1}, each >= 2
    :param degrees: degrees of the harmonics, each >= 1
    :param beta: inverse temperature, >= 0 (of either sign in a kernel that holds it); None (default) beside a kernel
        without it
    :param options: ``model``, ``kernel``, ``noise`` and ``digits`` (default 15) as for
        :func:`~gegenflow.theory.growth.growth_rate`

    >>> table = growth_table([2], [3], "5", digits=12)
    >>> print(table)
    dim  degree  beta  model  rate           error
    2    3       5     usa    18.5960703045  2.8e-11
    >>> table.facts["kernel"], table.facts["digits"]
    ('exp(beta*t)', 12)

    Raises Refused for dim < 2, degree < 1, digits < 1, beta negative or not finite, or an unknown model.

    See also :func:`.growth_rate`, :func:`.critical_table`.
    """
    rows = tuple(growth_rows(dims, degrees, beta, **options))
    return Table(rows, _facts(**options) | {"model": options.get("model", "usa")})


def _facts(**options: Unpack[Growth]) -> dict[str, Cell]:
    """What the rows hold, by the names that the command gives it."""
    kernel, noise, digits = options.get("kernel"), options.get("noise", 0), options.get("digits", 15)
    weight = (Kernel.exponential() if kernel is None else as_kernel(kernel)).weight
    return {"version": __version__, "kernel": str(weight), "noise": str(noise), "digits": check_digits(digits)}
