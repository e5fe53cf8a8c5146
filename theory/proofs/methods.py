"""The proofs of steps, by the name that a reader sees, and the formulas of the DLMF that each rests on."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from gegenflow.theory.proofs.algebra import at_ends, by_algebra, by_beta, by_exchange
from gegenflow.theory.proofs.harmonics import by_series
from gegenflow.theory.proofs.integrals import by_induction, by_integration, by_parts, by_recurrence, by_uniqueness
from gegenflow.theory.proofs.multipliers import by_addition, by_coefficients

if TYPE_CHECKING:
    from gegenflow.theory.proofs.steps import Step

PROOFS: dict[str, Callable[[Step], bool]] = {
    "symbolically": by_algebra,
    "symbolically, at both ends": at_ends,
    "by exchange of the indices": by_exchange,
    "symbolically, term by term": by_series,
    "by a Beta integral": by_beta,
    "by parts": by_parts,
    "by integration": by_integration,
    "by a recurrence": by_recurrence,
    "by induction": by_induction,
    "by uniqueness": by_uniqueness,
    "by the addition theorem": by_addition,
    "by series, every coefficient": by_coefficients,
    "by its general term": by_coefficients,
    "as a sum over its powers": by_coefficients,
    "as the integral that it is": by_coefficients,
}
RESTS = {
    "symbolically, term by term": ("18.5.9",),
    "by a Beta integral": ("5.5.5", "5.12.1"),
    "by integration": ("5.5.1",),
    "by a recurrence": ("5.5.1",),
    "by induction": ("5.5.1",),
    "by the addition theorem": ("4.21.3", "18.5.1"),
    "by series, every coefficient": ("4.2.19", "5.5.1", "10.25.2"),
}
"""DLMF: the series of P_k; duplication of the gamma function and the Beta integral; the recurrence of the former;
cosines of sums, and P_k on the circle; the series of exp and of I_nu."""


@lru_cache(maxsize=512)
def proved(step: Step) -> bool:
    """Whether the proof of a step goes through, and those of its premises; the same step is proved once."""
    return PROOFS[step.how](step) and all(premise.holds() for premise in step.premises)
