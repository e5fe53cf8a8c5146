"""Bad input is refused in one sentence: the name of the argument, its value, what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_SHOWN = 120
"""Characters of a value that a sentence shows."""


class Refused(ValueError):
    """A value that an argument does not take, told as "name value: what is allowed"; without the value where none came.

    :param name: the argument, as the call names it
    :param value: what came; None where nothing did
    :param allowed: what it takes, in words

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


def refusal(name: str, value: object, allowed: str) -> Refused:
    """The refusal of a value that did come, also of None.

    >>> print(refusal("dims", None, "a sequence is needed"))
    dims None: a sequence is needed
    """
    return Refused(name, "None" if value is None else value, allowed)


def choose(word: str, words: Iterable[str]) -> str:
    """What is allowed in the place of a word: the nearest one, where one is near, and all.

    >>> choose("bta", ["beta", "dim"]), choose("x", ["beta", "dim"])
    ('did you mean beta? Choose from beta, dim', 'choose from beta, dim')
    """
    known = list(words)
    lowered = {one.lower(): one for one in known}
    near = get_close_matches(word.lower(), lowered, 1)
    return f"{f'did you mean {lowered[near[0]]}? Choose' if near else 'choose'} from {', '.join(known)}"
