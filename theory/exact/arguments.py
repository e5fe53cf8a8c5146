"""What the theory accepts: exact numbers or symbols, in their ranges, each refusal one sentence."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from operator import index
from typing import Any, Literal

import sympy as sp
from flint import fmpq
from mpmath import isfinite, mpf
from mpmath.libmp import to_rational

Model = Literal["usa", "sa"]


Expr = Any
"""A sympy expression, or an int where only a number makes sense."""


def check_real(number: Any, name: str, allowed: str) -> Expr:
    """A symbol or an irrational sympy number as it is, any other finite real number exactly, else a ValueError.

    >>> check_real("-0.1", "beta", "a number is needed"), check_real(sp.sqrt(2), "beta", "a number is needed")
    (-1/10, sqrt(2))
    """
    if isinstance(number, sp.Expr) and (number.free_symbols or (number.is_real and not number.is_Float)):
        return number
    exact = exact_fraction(number, name, allowed)
    return sp.Rational(int(exact.p), int(exact.q))


def check_beta(beta: Any) -> Expr:
    """Beta of either sign, exactly, or a ValueError unless it is finite and real."""
    return check_real(beta, "beta", "the inverse temperature must be a finite real number")


def check_tokens(tokens: Any) -> Expr:
    """The number of tokens, an integer >= 2 or a symbol, or a ValueError."""
    if isinstance(tokens, sp.Expr) and tokens.free_symbols:
        return tokens
    if isinstance(tokens, bool) or not hasattr(tokens, "__index__") or int(tokens) < 2:
        raise ValueError(f"tokens {tokens}: the number of tokens must be an integer >= 2")
    return sp.Integer(int(tokens))


def check_overlap(overlap: Any, tokens: Expr, name: str = "overlap") -> Expr:
    """A common overlap of n tokens, or a ValueError unless it lies strictly between -1/(n-1) and 1."""
    allowed = "the common overlap of n tokens must lie in -1/(n-1) < overlap < 1"
    value = check_real(overlap, name, allowed)
    if sp.false in (value < 1, 1 + (tokens - 1) * value > 0):
        raise ValueError(f"{name} {overlap}: {allowed}")
    return value


def check_degree(degree: Expr, least: int = 1) -> Expr:
    """The degree as it came, or a ValueError unless it is a symbol or an integer >= ``least``.

    >>> check_degree(0)
    Traceback (most recent call last):
    ValueError: degree 0: the degree must be an integer >= 1
    """
    return _check_integer("degree", degree, least, f"the degree must be an integer >= {least}")


def check_dim(dim: Expr) -> Expr:
    """The dimension as it came, or a ValueError unless it is a symbol or an integer >= 2.

    >>> check_dim(1)
    Traceback (most recent call last):
    ValueError: dim 1: the sphere S^{d-1} needs an integer dim >= 2
    """
    return _check_integer("dim", dim, 2, "the sphere S^{d-1} needs an integer dim >= 2")


def _check_integer(name: str, value: Expr, least: int, allowed: str) -> Expr:
    if isinstance(value, sp.Basic) and not value.is_number:
        return value
    try:
        whole = int(value)
        valid = whole == value and whole >= least and not isinstance(value, bool)
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid:
        raise ValueError(f"{name} {value}: {allowed}")
    return sp.Integer(whole) if isinstance(value, sp.Basic) else whole


def check_number(name: str, value: Expr) -> int:
    """The degree or dimension as an int, or a ValueError if it is a symbol.

    >>> check_number("degree", sp.Symbol("k"))
    Traceback (most recent call last):
    ValueError: degree k: a number is needed for certified digits
    """
    if isinstance(value, sp.Basic) and not value.is_number:
        raise ValueError(f"{name} {value}: a number is needed for certified digits")
    return int(value)


def check_digits(digits: int) -> int:
    """The number of digits, or a ValueError unless it is an integer >= 1."""
    if isinstance(digits, bool) or not hasattr(digits, "__index__") or digits < 1:
        raise ValueError(f"digits {digits}: the number of significant digits must be an integer >= 1")
    return index(digits)


def exact_number(beta: Any) -> fmpq:
    """A finite number >= 0 as an exact fraction (see :func:`exact_fraction`), for an inverse temperature.

    >>> exact_number("0.1"), exact_number(0.5)
    (1/10, 1/2)

    Raises ValueError for anything negative, infinite or not a number.
    """
    return exact_fraction(beta, "beta", "the inverse temperature must be a finite number >= 0", least=0)


def exact_fraction(number: Any, name: str, allowed: str, *, least: int | None = None) -> fmpq:
    """A finite number as an exact fraction: int, float (its exact binary value), Fraction, Decimal, text or sympy.

    >>> [exact_fraction(x, "mass", "a number is needed") for x in ("-0.1", "1e-3", "7/3", sp.Rational(1, 3))]
    [-1/10, 1/1000, 7/3, 1/3]

    Raises ValueError, with ``name`` and ``allowed``, for anything below ``least``, infinite or not a number.
    """
    try:
        if isinstance(number, sp.Basic):
            rational = sp.Rational(number)
            fraction = Fraction(int(rational.p), int(rational.q))
        elif isinstance(number, fmpq):
            fraction = Fraction(int(number.p), int(number.q))
        elif isinstance(number, str) and "/" not in number:
            fraction = Fraction(Decimal(number))
        elif isinstance(number, (int, float, str, Decimal, Fraction)):
            fraction = Fraction(number)
        elif isinstance(number, mpf) and isfinite(number):
            fraction = Fraction(*to_rational(number._mpf_))
        elif hasattr(number, "__index__"):
            fraction = Fraction(index(number))
        else:
            fraction = Fraction(*number.as_integer_ratio())
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise ValueError(f"{name} {number}: {allowed}") from error
    if least is not None and fraction < least:
        raise ValueError(f"{name} {number}: {allowed}")
    return fmpq(fraction.numerator, fraction.denominator)


def exact_parameter(value: Any) -> Expr:
    """A parameter of a kernel: an expression as it is, a number as an exact fraction."""
    if isinstance(value, sp.Expr) and not value.is_Float:
        return value
    exact = exact_fraction(value, "parameter", "a finite number or a sympy expression is needed")
    return sp.Rational(int(exact.p), int(exact.q))


def check_model(model: str) -> Model:
    """The model, or a ValueError unless it is "usa" or "sa"."""
    if model not in ("usa", "sa"):
        raise ValueError(f"model {model}: the model is 'usa' (unnormalised) or 'sa' (softmax)")
    return model  # type: ignore[return-value]


def check_noise(noise: Expr) -> Expr:
    """The noise 1/kappa as an exact number or a symbol, or a ValueError unless it is >= 0.

    >>> check_noise("0.1"), check_noise(sp.Symbol("kappa", positive=True) ** -1)
    (1/10, 1/kappa)
    """
    if isinstance(noise, sp.Expr) and noise.free_symbols:
        return noise
    exact = exact_fraction(noise, "noise", "the noise 1/kappa must be a finite number >= 0", least=0)
    return sp.Rational(int(exact.p), int(exact.q))


def check_rational(name: str, number: Any) -> Any:
    """The number as it came, or a ValueError if it is irrational.

    >>> check_rational("beta", sp.sqrt(2))
    Traceback (most recent call last):
    ValueError: beta sqrt(2): a rational number is needed
    """
    if (
        isinstance(number, sp.Expr)
        and number.is_finite
        and number.is_number
        and not (number.is_Rational or number.is_Float)
    ):
        raise ValueError(f"{name} {number}: a rational number is needed")
    return number


def check_terms(terms: int) -> int:
    """The number of terms, or a ValueError unless it is an integer >= 1."""
    if isinstance(terms, bool) or not hasattr(terms, "__index__") or terms < 1:
        raise ValueError(f"terms {terms}: the number of terms must be an integer >= 1")
    return int(terms)
