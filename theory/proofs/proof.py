"""A derivation: steps in their order, from a setting to a result, that are verified as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.proofs.pages import aligned, enumerated, page, references, short, spelled
from gegenflow.theory.proofs.steps import Step
from gegenflow.theory.symbols import d


@dataclass(frozen=True, repr=False)
class Proof:
    """Verified steps to a result; prints as text, renders in a notebook, as a whole and step by step (``steps[3]``).

    ``result`` is where it ends, ``check()`` verifies every step, ``latex()`` is for a paper, and ``references`` are the
    formulas of the DLMF that it rests on.

    :param title: what is derived
    :param opening: the setting, a sentence or two with LaTeX
    :param symbol: LaTeX for the result
    :param steps: the equalities, in their order
    :param build: the function that makes the derivation
    :param given: its arguments
    :param dim: d of the sphere S^{d-1}, or the symbol (default d)

    >>> from gegenflow.theory.random_layers import derive_overlap
    >>> derivation = derive_overlap(3)
    >>> derivation.result, derivation.check()
    (-K_1, True)

    Source: derived here.

    See also :func:`.derivations`, :class:`.Step`, :func:`.derive_overlap`.
    """

    title: str
    opening: str
    symbol: str
    steps: tuple[Step, ...]
    build: Callable[..., Proof]
    given: tuple[Expr | str, ...] = ()
    dim: Expr = d

    @property
    def result(self) -> Expr:
        """The right side of the last step."""
        return self.steps[-1].rhs

    @property
    def references(self) -> tuple[str, ...]:
        """The numbers of the formulas of the DLMF that the proofs rest on; beside them there is algebra."""
        return references(self.steps)

    def check(self) -> bool:
        """Verify every equality, and that the steps are those that ``build`` makes of ``given``."""
        return self == self.build(*self.given) and all(step.holds() for step in self.steps)

    def latex(self, *, document: bool = False) -> str:
        """The derivation as LaTeX lists (amsmath): what each step says, the equality, how it was checked.

        :param document: a page that compiles as it stands, with what the letters mean, in the place of the list alone
        """
        here = "" if self.dim == d else rf" Here $d = {latex(self.dim)}$."
        return page(self.title, self.opening + here, self.steps, self.symbol) if document else enumerated(self.steps)

    @property
    def _head(self) -> str:
        return self.title if self.dim == d else f"{self.title}, dim {self.dim}"

    def _repr_latex_(self) -> str:
        return aligned(self.steps)

    def __repr__(self) -> str:
        return short(self._head, self.steps)

    def __str__(self) -> str:
        return spelled(self._head, self.steps)
