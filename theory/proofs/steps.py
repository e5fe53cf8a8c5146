"""Steps of a derivation: equalities that a computer verifies."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.proofs.methods import RESTS, proved
from gegenflow.theory.proofs.pages import aligned, broken, numbered, plain
from gegenflow.theory.symbols import d


@dataclass(frozen=True, repr=False)
class Step:
    """One equality of a derivation, ``lhs`` = ``rhs``, and how it is verified (a key of ``methods.PROOFS``).

    Some follow from others, its ``premises``. With a number in the place of the symbol d it is the case of a
    ``general`` step, which is proved in its place. Prints as text, renders in a notebook.

    :param title: what the step is about
    :param words: a sentence about it, with LaTeX
    :param lhs: the left side
    :param rhs: the right side
    :param how: the proof, a key of ``methods.PROOFS``
    :param dim: d of the sphere S^{d-1}, or the symbol
    :param symbol: LaTeX for what both sides are (default "")
    :param stands: long parts of the sides, and what LaTeX has in their place
    :param premises: the steps that it follows from
    :param least: the dimension from which on it holds (default 2)
    :param part: the part of the derivation that it belongs to (default "")
    :param general: the step with d a symbol of which it is a case; None (default) where it is proved as it stands

    >>> import sympy as sp
    >>> from gegenflow.theory.symbols import k
    >>> step = Step("sum", "the odd numbers", (k + 1) ** 2 - k**2, 2 * k + 1, "symbolically", d)
    >>> step.holds(), step
    (True, sum: -k**2 + (k + 1)**2 = 2*k + 1)

    Raises KeyError in ``holds`` for a proof that has no such name. Source: derived here.

    See also :func:`.linearize`.
    """

    title: str
    words: str
    lhs: Expr
    rhs: Expr
    how: str
    dim: Expr
    symbol: str = ""
    stands: tuple[tuple[Expr, Expr], ...] = ()
    premises: tuple[Step, ...] = ()
    least: int = 2
    part: str = ""
    general: Step | None = None

    def holds(self) -> bool:
        """Whether the proof goes through, and those of the premises."""
        if self.general is not None:
            return self.dim >= self.general.least and self == self.general.at(self.dim) and self.general.holds()
        return proved(self)

    def at(self, dim: Expr) -> Step:
        """The step with a number ``dim``, which must not be below ``least``, in the place of the symbol d."""
        if dim == d:
            return self
        sides = {"lhs": self.lhs.subs(d, dim), "rhs": self.rhs.subs(d, dim)}
        stands = tuple((part.subs(d, dim), other) for part, other in self.stands)
        return replace(self, **sides, stands=stands, dim=dim, general=self)

    @property
    def checked(self) -> str:
        """How it is checked, and from which steps it follows."""
        *others, last = (premise.title for premise in self.premises) if self.premises else ("",)
        names = f"{', '.join(others)} and {last}" if others else last
        return f"{self.how}, from {names}" if self.premises else self.how

    @property
    def references(self) -> tuple[str, ...]:
        """The numbers of the formulas of the DLMF that it rests on, sorted, those of its premises included."""
        own = (self.general or self).premises
        found = {number for premise in own for number in premise.references}
        return tuple(sorted(found | set(RESTS.get(self.how, ())), key=numbered))

    def latex(self) -> str:
        """What both sides are, the left side and the right one, in lines that amsmath aligns."""
        left, right = (broken(side.xreplace(dict(self.stands))) for side in (self.lhs, self.rhs))
        if self.symbol:
            return f"{self.symbol} &= {left} \\\\\n&= {right}"
        return f"& {left} \\\\\n&\\quad = {right}"

    def _repr_latex_(self) -> str:
        return aligned([self])

    def __repr__(self) -> str:
        return f"{self.title}: {self.lhs} = {self.rhs}"

    def __str__(self) -> str:
        return f"{self.title}: {plain(self.words)}\n  {self.lhs}\n  = {self.rhs}\n  checked {self.checked}"
