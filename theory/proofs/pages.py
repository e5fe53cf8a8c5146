"""How a list of steps is shown: as text, in a notebook, and as a page of a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gegenflow import __version__
from gegenflow.theory.exact.arguments import Expr
from gegenflow.theory.exact.mathematics import latex

if TYPE_CHECKING:
    from gegenflow.theory.proofs.steps import Step

LONGEST, BREAK = 240, " \\\\\n&\\quad "
"""Letters of LaTeX in a line of a sum, and what stands between its lines."""
PLAIN = {"\\langle ": "<", "\\rangle": ">", "\\dot ": "d/dtime ", "\\nabla": "grad", "\\,": " "}
PLAIN |= {"\\langle": "<", "\\perp": "perp to", "\\ge ": ">= ", "\\frac12": "1/2 ", "\\dots": "..."}
PLAIN |= {"\\delta_": "delta_"}
SPELLED = {r"\\sqrt\{([^{}]*)\}": r" sqrt(\1)", r"\\int ?": " int "}
"""What LaTeX says, in plain text; and patterns of it."""


def broken(side: Expr) -> str:
    r"""One side, a sum that is longer than a line broken between its terms.

    >>> from sympy.abc import x, y
    >>> broken(x + y), broken(sum(x**n / y for n in range(1, 20))).count(BREAK)
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
    """The steps as LaTeX lists (amsmath), one a part: what each says, the equality, how it was checked."""
    lines: list[str] = []
    for number, step in enumerate(steps):
        if not number or step.part != steps[number - 1].part:
            lines += ["\\end{enumerate}"] * bool(number) + [f"\\subsection*{{{step.part}}}"] * bool(step.part)
            lines += ["\\begin{enumerate}"] + [f"\\setcounter{{enumi}}{{{number}}}"] * bool(number)
        lines += [
            f"\\item {step.title[0].upper()}{step.title[1:]}: {step.words} (checked {step.checked}).",
            f"\\[\\begin{{aligned}}\n{step.latex()}\n\\end{{aligned}}\\]",
        ]
    return "\n".join([*lines, "\\end{enumerate}"])


def page(title: str, opening: str, steps: Sequence[Step], result: str) -> str:
    """A document of the steps that compiles as it stands."""
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
            f"Each equality was verified by computer as told beside it, by gegenflow {__version__}. {resting(steps)}",
            r"\end{document}",
        ]
    )


def resting(steps: Sequence[Step]) -> str:
    """What the proofs of all steps take from elsewhere, in a sentence."""
    found = references(steps)
    return f"Beside algebra the proofs rest on DLMF {', '.join(found)}." if found else "The proofs are algebra."


def references(steps: Sequence[Step]) -> tuple[str, ...]:
    """The numbers of the formulas of the DLMF that the steps rest on, sorted."""
    return tuple(sorted({number for step in steps for number in step.references}, key=numbered))


def numbered(reference: str) -> tuple[int, ...]:
    """A number of the DLMF for sorting.

    >>> sorted(["18.5.9", "5.12.1"], key=numbered)
    ['5.12.1', '18.5.9']
    """
    return tuple(map(int, reference.split(".")))


def aligned(steps: Sequence[Step]) -> str:
    """The steps, each a display of its own, for a notebook: MathJax takes no formula of more than five kilobytes."""
    rows = (
        f"&\\text{{{f'{number}. ' * (len(steps) > 1)}{step.words}}} \\\\\n"
        f"&\\qquad\\begin{{aligned}}{step.latex()}\\end{{aligned}}"
        for number, step in enumerate(steps, 1)
    )
    return "\n\n".join(f"$\\displaystyle\\begin{{aligned}}{row}\\end{{aligned}}$" for row in rows)


def short(head: str, steps: Sequence[Step]) -> str:
    """A line for each step, its title and where it arrives; of many, a line for each part and the last one."""
    parts = list(dict.fromkeys(step.part for step in steps))
    if len(parts) == 1:
        rows = [f"{number:>3}  {step.title:<14}= {step.rhs}" for number, step in enumerate(steps, 1)]
    else:
        own = {part: [step.title for step in steps if step.part == part] for part in parts}
        rows = [f"  {part}: {', '.join(titles)}" for part, titles in own.items()] + [f"  = {steps[-1].rhs}"]
    return "\n".join((head, *rows))


def spelled(head: str, steps: Sequence[Step]) -> str:
    """Three lines for each step: its words without LaTeX, where it arrives, how it was checked."""
    rows = (
        f"{number:>3}  {step.title:<14}{plain(step.words)}\n{'':19}= {step.rhs}\n{'':19}checked {step.checked}"
        for number, step in enumerate(steps, 1)
    )
    return "\n".join((head, *rows, resting(steps)))


def plain(words: str) -> str:
    r"""The words of a step without their LaTeX.

    >>> plain(r"$\langle x,y\rangle = r$")
    '<x,y> = r'
    """
    for pattern, text in SPELLED.items():
        words = re.sub(pattern, text, words)
    for markup, text in PLAIN.items():
        words = words.replace(markup, text)
    spaced = re.sub(r"(?<=[A-Za-z0-9])\\(?=[a-z])", " ", words)
    return re.sub(r"\\mathrm|[\\${}]", "", spaced).replace("  ", " ")
