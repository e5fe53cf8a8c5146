"""What a docstring says of each parameter, in lines ``:param name: ...``."""

import re

LISTED = re.compile(r"^ *:param \**(\w+): *(.*(?:\n {4,}\S.*)*)", re.MULTILINE)
BOUND = re.compile(r"(>=|<=|>|<) (-?\d[\d,]*)(?![\w,.(/*-])")


def listed(text):
    """The list of parameters, name to what is said, each in one line."""
    return {name: " ".join(words.split()) for name, words in LISTED.findall(text)}


def outside(words):
    """Integers that the whole bounds of a line leave out, those next to each.

    >>> outside("time since the start, > 0"), outside("r, -1 <= r <= 1"), outside("overlap, start < overlap < 1")
    ([-1, 0], [2], [1, 2])
    """
    steps = {">": (-1, 0), ">=": (-1,), "<": (0, 1), "<=": (1,)}
    return [int(bound.replace(",", "")) + step for sign, bound in BOUND.findall(words) for step in steps[sign]]
