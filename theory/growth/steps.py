"""Steps of a derivation: equalities that a computer verifies, and how a list of them is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.growth.proofs import proved
from gegenflow.theory.symbols import d

PLAIN = {"\\langle ": "<", "\\rangle": ">", "\\dot ": "d/dtime ", "\\nabla": "grad", "\\,": " "}


@dataclass(frozen=True)
class Step:
    """One equality of a derivation, ``lhs`` = ``rhs``, and how it is verified (a key of ``proofs.PROOFS``).

    In a high dimension it is the case of a ``general`` step, whose dimension is a symbol, which is proved in its place.
    """

    title: str
    words: str
    lhs: Expr
    rhs: Expr
    how: str
    dim: Expr
    general: Step | None = field(default=None, repr=False)

    def holds(self) -> bool:
        """Whether the proof goes through."""
        if self.general is None:
            return proved(self.how, self.lhs, self.rhs, self.dim)
        return self == self.general.at(self.dim) and self.general.holds()

    def at(self, dim: int) -> Step:
        """The step with a number in the place of the symbol d."""
        return replace(self, lhs=self.lhs.subs(d, dim), rhs=self.rhs.subs(d, dim), dim=dim, general=self)


def enumerated(steps: Sequence[Step]) -> str:
    """The steps as a LaTeX list (amsmath): what each says, the equality, how it was checked."""
    items = (
        f"\\item {step.title[0].upper()}{step.title[1:]}: {step.words} (checked {step.how}).\n"
        f"\\[\\begin{{aligned}}\n& {latex(step.lhs)} \\\\\n&\\quad = {latex(step.rhs)}\n\\end{{aligned}}\\]"
        for step in steps
    )
    return "\\begin{enumerate}\n" + "\n".join(items) + "\n\\end{enumerate}"


def aligned(steps: Sequence[Step]) -> str:
    """The steps as one display, for a notebook."""
    rows = (
        f"&\\text{{{number}. {step.words}}} \\\\ &\\qquad {latex(step.lhs)} = {latex(step.rhs)}"
        for number, step in enumerate(steps, 1)
    )
    return "$\\displaystyle\\begin{aligned}" + " \\\\\n".join(rows) + "\\end{aligned}$"


def short(head: str, steps: Sequence[Step]) -> str:
    """A line for each step: its title and where it arrives."""
    rows = (f"  {number}  {step.title:<14}= {step.rhs}" for number, step in enumerate(steps, 1))
    return "\n".join((head, *rows))


def spelled(head: str, steps: Sequence[Step]) -> str:
    """Three lines for each step: its words without LaTeX, where it arrives, how it was checked."""
    rows = (
        f"  {number}  {step.title:<14}{_plain(step.words)}\n{'':19}= {step.rhs}\n{'':19}checked {step.how}"
        for number, step in enumerate(steps, 1)
    )
    return "\n".join((head, *rows))


def _plain(words: str) -> str:
    r"""The words of a step without their LaTeX.

    >>> _plain(r"$\langle x,y\rangle = r$")
    '<x,y> = r'
    """
    for markup, text in PLAIN.items():
        words = words.replace(markup, text)
    return re.sub(r"\\mathrm|[\\${}]", "", words)
