"""Steps of a derivation: equalities that a computer verifies, and how a list of them is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gegenflow import __version__
from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.mathematics import latex
from gegenflow.theory.growth.proofs import proved
from gegenflow.theory.symbols import d

LONGEST, BREAK = 240, " \\\\\n&\\quad "
"""Letters of LaTeX in a line of a sum, and what stands between its lines."""
PLAIN = {"\\langle ": "<", "\\rangle": ">", "\\dot ": "d/dtime ", "\\nabla": "grad", "\\,": " "}
PLAIN |= {"\\ge ": ">= ", "\\frac12": "1/2 ", "\\dots": "...", "\\delta_": "delta_"}


@dataclass(frozen=True, repr=False)
class Step:
    """One equality of a derivation, ``lhs`` = ``rhs``, and how it is verified (a key of ``proofs.PROOFS``).

    ``symbol`` is LaTeX for what both sides are, and ``stands`` holds long parts and what LaTeX has in their place.
    In a high dimension it is the case of a ``general`` step, whose dimension is a symbol, which is proved in its place.
    Prints as text, renders in a notebook.
    """

    title: str
    words: str
    lhs: Expr
    rhs: Expr
    how: str
    dim: Expr
    symbol: str = ""
    stands: tuple[tuple[Expr, Expr], ...] = ()
    general: Step | None = None

    def holds(self) -> bool:
        """Whether the proof goes through."""
        if self.general is None:
            return proved(self.how, self.lhs, self.rhs, self.dim)
        return self == self.general.at(self.dim) and self.general.holds()

    def at(self, dim: int) -> Step:
        """The step with a number in the place of the symbol d."""
        return replace(self, lhs=self.lhs.subs(d, dim), rhs=self.rhs.subs(d, dim), dim=dim, general=self)

    def latex(self) -> str:
        """What both sides are, the left side and the right one, in lines that amsmath aligns."""
        left, right = (_broken(side.xreplace(dict(self.stands))) for side in (self.lhs, self.rhs))
        if self.symbol:
            return f"{self.symbol} &= {left} \\\\\n&= {right}"
        return f"& {left} \\\\\n&\\quad = {right}"

    def _repr_latex_(self) -> str:
        return aligned([self])

    def __repr__(self) -> str:
        return f"{self.title}: {self.lhs} = {self.rhs}"

    def __str__(self) -> str:
        return f"{self.title}: {_plain(self.words)}\n  {self.lhs}\n  = {self.rhs}\n  checked {self.how}"


def _broken(side: Expr) -> str:
    r"""One side, a sum that is longer than a line broken between its terms.

    >>> from sympy.abc import x, y
    >>> _broken(x + y), _broken(sum(x**n / y for n in range(1, 20))).count(BREAK)
    ('x + y', 1)
    """
    if not side.is_Add or len(latex(side)) <= LONGEST:
        return latex(side)
    first, *others = map(latex, side.as_ordered_terms())
    lines = [first]
    for term in others:
        signed = f"- {term[1:].lstrip()}" if term.startswith("-") else f"+ {term}"
        if len(lines[-1]) + len(signed) > LONGEST:
            lines.append(signed)
        else:
            lines[-1] += f" {signed}"
    return BREAK.join(lines)


def enumerated(steps: Sequence[Step]) -> str:
    """The steps as a LaTeX list (amsmath): what each says, the equality, how it was checked."""
    items = (
        f"\\item {step.title[0].upper()}{step.title[1:]}: {step.words} (checked {step.how}).\n"
        f"\\[\\begin{{aligned}}\n{step.latex()}\n\\end{{aligned}}\\]"
        for step in steps
    )
    return "\\begin{enumerate}\n" + "\n".join(items) + "\n\\end{enumerate}"


def page(title: str, opening: str, steps: Sequence[Step], result: str) -> str:
    """A document of the steps that compiles as it stands."""
    ending = f"Each equality was verified by computer as told beside it, by gegenflow {__version__}."
    return "\n".join(
        [
            r"\documentclass[11pt]{article}",
            r"\usepackage[a4paper,margin=2.3cm]{geometry}",
            r"\usepackage{amsmath,amssymb}",
            r"\begin{document}",
            rf"\begin{{center}}\Large {title}\end{{center}}",
            opening,
            enumerated(steps),
            rf"\[\boxed{{{result} = {latex(steps[-1].rhs)}}}\]",
            ending,
            r"\end{document}",
        ]
    )


def aligned(steps: Sequence[Step]) -> str:
    """The steps as one display, for a notebook."""
    rows = (
        f"&\\text{{{f'{number}. ' * (len(steps) > 1)}{step.words}}} \\\\\n"
        f"&\\qquad\\begin{{aligned}}{step.latex()}\\end{{aligned}}"
        for number, step in enumerate(steps, 1)
    )
    return "$\\displaystyle\\begin{aligned}" + " \\\\\n".join(rows) + "\\end{aligned}$"


def short(head: str, steps: Sequence[Step]) -> str:
    """A line for each step: its title and where it arrives."""
    rows = (f"{number:>3}  {step.title:<14}= {step.rhs}" for number, step in enumerate(steps, 1))
    return "\n".join((head, *rows))


def spelled(head: str, steps: Sequence[Step]) -> str:
    """Three lines for each step: its words without LaTeX, where it arrives, how it was checked."""
    rows = (
        f"{number:>3}  {step.title:<14}{_plain(step.words)}\n{'':19}= {step.rhs}\n{'':19}checked {step.how}"
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
