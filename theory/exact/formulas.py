"""Reading a formula that a user typed: its syntax tree against a short list of what is allowed; no text is evaluated.

A text is cut into a tree by Python's parser, which runs nothing, and every node of the tree must be a number, a known
name, a parameter, one of :data:`FUNCTIONS` or arithmetic; anything else is refused with its place.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from math import comb

import sympy as sp

from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.symbols import beta, t

LONGEST = 2000
"""Characters of a formula."""
DEEPEST, FUNCTION = 100, 12
"""Brackets and operators inside one another, and for how many of them a function counts: at most eight are nested."""
LARGEST = 400
"""The size of a number, as a power of ten, and of a power, as its exponent, stay below this and its triple."""
MOST_TERMS = 5000
"""Summands that a formula has when it is multiplied out."""

FUNCTIONS: dict[str, Callable[..., sp.Expr]] = {
    **{name: getattr(sp, name) for name in ("exp", "sin", "cos", "sinh", "cosh", "tanh", "atan", "erf", "log", "sqrt")},
    **{name: getattr(sp, name) for name in ("Abs", "Heaviside", "Max", "Min")},
    "abs": sp.Abs,
    "relu": lambda x: sp.Max(x, 0),
}
CONSTANTS = {"t": t, "beta": beta, "pi": sp.pi, "E": sp.E}
NO_PARAMETERS = {"I", "j", "nan", "inf", "oo", "zoo", "True", "False", "None"}
ALLOWED = f"write a formula in t and parameters, of + - * / **, {', '.join(FUNCTIONS)} and where(t > 0, a, b)"
OPERATIONS: dict[type[ast.operator], Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[sp.Expr, sp.Expr], sp.Basic]] = {
    ast.Lt: sp.Lt,
    ast.LtE: sp.Le,
    ast.Gt: sp.Gt,
    ast.GtE: sp.Ge,
}


class _Unreadable(Exception):
    """What is wrong, and at which character, counted from 0; None for the formula as a whole."""

    def __init__(self, reason: str, place: int | None = None) -> None:
        super().__init__(reason)
        self.place = place


def read_weight(text: str, name: str = "kernel") -> sp.Expr:
    """The attention weight, or other function ``name``, that a text spells: numbers exact, other names real parameters.

    >>> read_weight("0.1*t + exp(beta*(t - 1))")
    t/10 + exp(beta*(t - 1))
    >>> read_weight("where(t > 0, t**2, 0)")
    Piecewise((t**2, t > 0), (0, True))
    >>> read_weight("t^3")
    Traceback (most recent call last):
    gegenflow.theory.exact.refusals.Refused: kernel t^3: at character 2, a power is written **

    Raises Refused for anything else, naming the place: a text over 2000 characters or 100 levels deep, a number beyond
    1e400, an exponent beyond 1200, over 5000 summands when multiplied out. Source: derived here.
    """
    words, ahead = re.sub(r"\s", " ", text.strip()), len(text) - len(text.lstrip()) + 1
    try:
        weight = _read(_tree(words), words, 0)
        if _summands(weight) > MOST_TERMS:
            raise _Unreadable(f"it has over {MOST_TERMS} summands when multiplied out")
        if weight.has(sp.nan, sp.zoo, sp.oo, sp.I):
            raise _Unreadable("it is not a real finite number")
    except _Unreadable as problem:
        where = "" if problem.place is None else f"at character {problem.place + (ahead if words else 1)}, "
        raise Refused(name, text, f"{where}{problem}") from None
    return weight


def _tree(text: str) -> ast.expr:
    if not text:
        raise _Unreadable(f"the formula is empty; {ALLOWED}", 0)
    if len(text) > LONGEST:
        raise _Unreadable(f"the formula goes on; it has at most {LONGEST} characters", LONGEST)
    if foreign := re.search(r"[^\w .+\-*/(),<>=^]|[^\x00-\x7f]", text):
        raise _Unreadable(f"{foreign.group()!r} is not understood; {ALLOWED}", foreign.start())
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth > DEEPEST:
            raise _Unreadable(f"at most {DEEPEST} brackets may be open at once", place)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        place = min((error.offset or 1) - 1, len(text) - 1)
        hint = "a bracket is not closed" if depth > 0 else f"the formula cannot be read on (is a * missing?); {ALLOWED}"
        raise _Unreadable(hint, place) from None
    except (MemoryError, RecursionError, ValueError):
        raise _Unreadable(f"it is more than {DEEPEST} levels deep") from None


def _read(node: ast.expr, text: str, depth: int) -> sp.Expr:
    if depth > DEEPEST:
        raise _Unreadable(f"it is more than {DEEPEST} levels deep", node.col_offset)
    match node:
        case ast.Constant():
            return _number(node, text)
        case ast.Name(id=name):
            return _name(node, name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_read(operand, text, depth + 1)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _read(operand, text, depth + 1)
        case ast.BinOp(left=left, op=operator, right=right):
            place = node.left.end_col_offset or node.col_offset
            return _operation(operator, _read(left, text, depth + 1), _read(right, text, depth + 1), text, place)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(node, name, arguments, text, depth)
    raise _Unreadable(f"this is not understood; {ALLOWED}", node.col_offset)


def _number(node: ast.Constant, text: str) -> sp.Rational:
    spelled = text[node.col_offset : node.end_col_offset]
    if not re.fullmatch(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", spelled):
        raise _Unreadable(f"{spelled[:20]!r} is no number", node.col_offset)
    number = Decimal(spelled)
    if number and abs(number.adjusted()) > LARGEST:
        raise _Unreadable(f"numbers lie between 1e-{LARGEST} and 1e{LARGEST}", node.col_offset)
    fraction = Fraction(number)
    return sp.Rational(fraction.numerator, fraction.denominator)


def _name(node: ast.Name, name: str) -> sp.Expr:
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name in FUNCTIONS or name == "where":
        raise _Unreadable(f"{name} is a function and needs its argument in brackets", node.col_offset)
    if "_" in name or name in NO_PARAMETERS:
        raise _Unreadable(f"{name} is no name for a parameter", node.col_offset)
    return sp.Symbol(name, real=True)


def _operation(operator: ast.operator, left: sp.Expr, right: sp.Expr, text: str, place: int) -> sp.Expr:
    if isinstance(operator, ast.Div):
        if right == 0:
            raise _Unreadable("it divides by zero", place)
        return left / right
    if isinstance(operator, ast.Pow):
        return _power(left, right, place)
    if isinstance(operator, ast.BitXor):
        raise _Unreadable("a power is written **", text.index("^"))
    if type(operator) not in OPERATIONS:
        raise _Unreadable(f"this operation is not understood; {ALLOWED}", place)
    return OPERATIONS[type(operator)](left, right)


def _power(base: sp.Expr, exponent: sp.Expr, place: int) -> sp.Expr:
    size = sp.Abs(exponent)
    if size.is_Rational and (size > 3 * LARGEST or (base.is_Rational and size * _digits(base) > LARGEST)):
        raise _Unreadable(f"exponents go up to {3 * LARGEST}, numbers up to 1e{LARGEST}", place)
    if base == 0 and not sp.sympify(exponent).is_positive:
        raise _Unreadable("it divides by zero", place)
    power = sp.Pow(base, exponent)
    inner = power.as_base_exp()[1]
    if inner.is_Rational and abs(inner) > 3 * LARGEST:
        raise _Unreadable(f"exponents go up to {3 * LARGEST}", place)
    return power


def _digits(number: sp.Rational) -> int:
    return max(len(str(abs(number.p))), len(str(number.q))) - 1


def _call(node: ast.Call, name: str, arguments: list[ast.expr], text: str, depth: int) -> sp.Expr:
    if name == "where":
        return _choice(node, arguments, text, depth)
    if name == "Piecewise":
        return _printed_choice(node, arguments, text, depth)
    if name not in FUNCTIONS:
        near = get_close_matches(name, FUNCTIONS, 1)
        hint = f", did you mean {near[0]}?" if near else ";"
        raise _Unreadable(f"{name} is no known function{hint} {ALLOWED}", node.col_offset)
    if len(arguments) != 1 and (name not in ("Max", "Min") or not arguments):
        raise _Unreadable(f"{name} takes one argument", node.col_offset)
    parts = [_read(argument, text, depth + FUNCTION) for argument in arguments]
    for part in parts:
        if part.is_number and (part.has(sp.Function) or not _moderate(part)):
            raise _Unreadable(f"{name} of a number needs one that is written out, up to 600", node.col_offset)
    return FUNCTIONS[name](*parts)


def _moderate(number: sp.Expr) -> bool:
    return bool(abs(float(number)) <= 600) if not number.is_Rational else abs(number) <= 600


def _choice(node: ast.Call, arguments: list[ast.expr], text: str, depth: int) -> sp.Expr:
    match arguments:
        case [ast.Compare(left=left, ops=[operator], comparators=[right]), yes, no] if type(operator) in COMPARISONS:
            sides = _read(left, text, depth + 1), _read(right, text, depth + 1)
            condition = COMPARISONS[type(operator)](*sides)
            choice = _read(yes, text, depth + 1), _read(no, text, depth + 1)
            return sp.Piecewise((choice[0], condition), (choice[1], True))
    raise _Unreadable("where takes a comparison and two values: where(t > 0, a, b)", node.col_offset)


def _printed_choice(node: ast.Call, arguments: list[ast.expr], text: str, depth: int) -> sp.Expr:
    """A choice as sympy prints it."""
    match arguments:
        case [ast.Tuple(elts=[yes, condition]), ast.Tuple(elts=[no, ast.Constant(value=True)])]:
            return _choice(node, [condition, yes, no], text, depth)
    raise _Unreadable("a choice is written where(t > 0, a, b)", node.col_offset)


def _summands(weight: sp.Basic) -> int:
    """A bound on the summands of an expression when it is multiplied out."""
    inside = [_summands(part) for part in weight.args]
    if isinstance(weight, sp.Pow) and weight.exp.is_Integer and weight.exp > 0:
        return comb(inside[0] + int(weight.exp) - 1, int(weight.exp)) if inside[0] > 1 else 1
    if isinstance(weight, sp.Mul):
        product = 1
        for count in inside:
            product = min(product * count, MOST_TERMS + 1)
        return product
    return min(max(sum(inside), 1), MOST_TERMS + 1) if isinstance(weight, sp.Add) else max([1, *inside])
