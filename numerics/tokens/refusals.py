"""Bad input is refused in one sentence: the name of the argument, its value, what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_SHOWN = 120
"""Characters of a value that a sentence shows."""


class Refused(ValueError):
    """A value that an argument does not take, told as "name value: what is allowed"; without the value where none came.

    ``name`` is that of the argument, ``value`` what came (None: not told), ``allowed`` a sentence of what it takes.

    >>> print(Refused("dim", 1, "the sphere S^{d-1} needs dim >= 2"))
    dim 1: the sphere S^{d-1} needs dim >= 2
    >>> print(Refused("beta", None, "the inverse temperature is needed"))
    beta: the inverse temperature is needed
    """

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(name, value, allowed)
        self.name, self.value, self.allowed = name, value, allowed

    def __str__(self) -> str:
        shown = "" if self.value is None else " " + " ".join(str(self.value).split())
        return f"{self.name}{shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + '...'}: {self.allowed}"


def choose(word: object, words: Iterable[object]) -> str:
    """What is allowed in the place of a word: the nearest one, where one is near, and all.

    >>> choose("ciircle", ["circle", "dense"]), choose(3, ["circle", "dense"])
    ('did you mean circle? Choose from circle, dense', 'choose from circle, dense')
    """
    known = list(map(str, words))
    lowered = {one.lower(): one for one in known}
    near = get_close_matches(str(word).lower(), lowered, 1)
    return f"{f'did you mean {lowered[near[0]]}? Choose' if near else 'choose'} from {', '.join(known)}"
