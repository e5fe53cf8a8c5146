"""What each parameter of a law means, in which unit and range: one word, one meaning in all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gegenflow.numerics.flows.activations import ACTIVATIONS
from gegenflow.numerics.flows.flow import MODELS
from gegenflow.numerics.tokens.arguments import check_choice, check_number, check_whole
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.values import record_html


@dataclass(frozen=True)
class Parameter:
    """A parameter of a law: its kind, meaning, range and default.

    :param name: by which laws take it
    :param kind: "whole" or "real", a number; "exact", one >= 0 or a text of it that is kept exact; "choice", a word;
        "kernel", a formula, a Kernel of the theory or None for exp(beta t)
    :param text: what it means
    :param least: smallest value of a number; None (default) for other kinds
    :param most: largest value of a number, or the words of a choice; None (default) for a kernel
    :param default: value where none is given; None (default): it may be left out

    >>> Parameter("tokens", "whole", "number of tokens", 2, 1000, default=50).take(20)
    20
    >>> print(Parameter("beta", "exact", "inverse temperature", 0, 200, default="5"))
    inverse temperature, 0 to 200 (default 5)

    See also :class:`.Law`.
    """

    name: str
    kind: str
    text: str
    least: Any = None
    most: Any = None
    default: Any = None

    _repr_html_ = record_html

    def __str__(self) -> str:
        span = f", {self.least:,} to {self.most:,}" if self.least is not None else ""
        choice = f": {', '.join(self.most)}" if self.kind == "choice" else ""
        default = "" if self.default is None else f" (default {self.default})"
        return f"{self.text}{span}{choice}{default}"

    def take(self, value: Any) -> Any:
        """The ``value`` if it is of the kind and within the range, whole numbers as int, formulas as kernels.

        Raises ValueError for any other.
        """
        if value is None and self.default is None:
            return None
        if self.kind == "choice":
            return check_choice(self.name, value, self.most)
        if self.kind == "kernel":
            from gegenflow.theory.kernels.attention import as_kernel

            return as_kernel(value)
        if self.kind == "whole":
            return check_whole(self.name, value, self.least, self.most)
        if self.kind == "real":
            return check_number(self.name, value, least=self.least, most=self.most)
        from gegenflow.theory.exact.arguments import check_real

        needed = f"it must be a number from {self.least:,} to {self.most:,}"
        exact = check_real(value, self.name, needed, least=0, symbols=False)
        low, high = (check_real(repr(end), self.name, needed, symbols=False) for end in (self.least, self.most))
        if not low <= exact <= high:
            raise Refused(self.name, value, needed)
        return value


def _table(*rows: tuple[Any, ...]) -> dict[str, Parameter]:
    return {row[0]: Parameter(*row) for row in rows}


PARAMETERS = _table(
    ("dim", "whole", "dimension of the space around the sphere", 2, 1000),
    ("beta", "exact", "inverse temperature", 0, 700),
    ("model", "choice", "unnormalised or softmax attention", None, MODELS),
    ("kernel", "kernel", "weight of attention, a formula in t and beta"),
    ("noise", "exact", "noise 1/kappa", 0, 100),
    ("tokens", "whole", "number of tokens of a run", 2, 10_000_000),
    ("runs", "whole", "independent runs behind an error bar", 4, 1_000_000),
    ("degree", "whole", "degree of a harmonic", 1, 64),
    ("order", "whole", "order in the amplitude", 1, 6),
    ("amplitude", "real", "size of a start, or the level at which a degree has emerged", 1e-12, 0.99),
    ("clusters", "whole", "number of equal clusters", 1, 64),
    ("heads", "whole", "number of heads, of scales 1, -1/2, 1/3, ...", 1, 64),
    ("decay", "exact", "decay of a causal mask over all tokens", 0, 100),
    ("codewords", "whole", "number of codewords to tell apart", 2, 100_000),
    ("mass", "exact", "mass of the smaller of two clusters", 0, 0.5),
    ("overlap", "exact", "inner product of two tokens", 0, 0.9999),
    ("ratio", "real", "kappa over its threshold", 0.01, 0.99),
    ("state", "choice", "state in which a run starts", None, ("ordered", "uniform")),
    ("resultant", "real", "length of the mean of the tokens at the start", 0.01, 0.99),
    ("time", "exact", "time, in units of the flow", 0, 1000),
    ("activation", "choice", "activation of layers with random weights", None, tuple(ACTIVATIONS)),
    ("bias", "exact", "bias gamma of a random quadratic form", 0, 10),
    ("scheme", "choice", "layer normalisation", None, ("post", "pre", "peri")),
    (
        "solid",
        "choice",
        "arrangement of clusters",
        None,
        ("simplex", "cross-polytope", "antipodal", "cube", "icosahedron"),
    ),
    ("kind", "choice", "limit set of the linear flow", None, ("points", "sphere", "circle", "torus")),
)
"""Every parameter that a law may have, with its widest range."""
