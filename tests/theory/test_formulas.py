"""Formulas that users type: read exactly, refused by place, and nothing in them is ever run."""

import random
import string
from contextlib import suppress
from operator import add, mul, sub

import pytest
import sympy as sp
from hypothesis import given
from hypothesis.strategies import recursive, sampled_from, tuples

from gegenflow import theory as th
from gegenflow.theory.exact.formulas import FUNCTIONS, read_weight

t, beta = th.t, th.beta
m = sp.Symbol("m", real=True)


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("0.1*t + exp(beta*(t - 1))", t / 10 + sp.exp(beta * (t - 1))),
        ("-t**2/3 + 2.5e-3", -(t**2) / 3 + sp.Rational(1, 400)),
        ("2**-t", 2**-t),
        ("-t**2", -(t**2)),
        ("relu(t)*m", sp.Max(t, 0) * m),
        ("abs(t) + Abs(m)", sp.Abs(t) + sp.Abs(m)),
        ("Max(t, 0, m) - Min(t, 1/2)", sp.Max(t, 0, m) - sp.Min(t, sp.Rational(1, 2))),
        ("where(t >= 1/2, t, m)", sp.Piecewise((t, t >= sp.Rational(1, 2)), (m, True))),
        ("sqrt(pi)*erf(t)/E", sp.sqrt(sp.pi) * sp.erf(t) / sp.E),
        ("(1 - t)**(-3/2)", (1 - t) ** sp.Rational(-3, 2)),
        ("  .5 *\n t ", t / 2),
    ],
)
def test_formulas_mean_what_they_mean_on_paper(text, weight):
    """Precedence, exact decimals, parameters that are real, functions by their names."""
    assert read_weight(text) == weight


def test_cases_may_be_told_in_either_branch():
    """A hundred choices, each in the last branch of another, and in the first."""
    last, first = "where(t > 0, 1, " * 100 + "t" + ")" * 100, "where(t > 0, " * 100 + "t" + ", 1)" * 100
    assert sum(isinstance(part, sp.Piecewise) for part in sp.preorder_traversal(read_weight(last))) == 100
    assert read_weight(first) == sp.Piecewise((t, t > 0), (1, True))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t^3", r"at character 2, a power is written \*\*"),
        ("exp(beta t)", r"at character \d+, the formula cannot be read on \(is a \* missing\?\)"),
        ("2*foo(t)", "at character 3, foo is no known function"),
        ("exp(t", "at character 4, a bracket is not closed"),
        ("", "at character 1, the formula is empty"),
        (" \n ", "at character 1, the formula is empty"),
        ("  t  +\n  t^3", "at character 11, a power is written"),
        ("1/0", "at character 2, it divides by zero"),
        ("t + 0**0", r"at character 6, it divides by zero"),
        ("0**-t", "it divides by zero"),
        ("sqrt(-2)*t", "it is not a real finite number"),
        ("1e999999999", "at character 1, '1e999999999' is no number"),
        ("10**10**10", "exponents go up to 1200, numbers up to 1e400"),
        ("t**1000000", "exponents go up to 1200"),
        ("((t + 1)**1000)**1000", "exponents go up to 1200"),
        ("(1 + t + m)**1000", "over 5000 summands"),
        ("exp(" * 80 + "t" + ")" * 80, "levels deep"),
        ("(" * 400 + "t" + ")" * 400, "at most 100 brackets"),
        ("t" * 2001, "at character 2001, the formula goes on; it has at most 2000 characters"),
        ("exp", "exp is a function and needs its argument in brackets"),
        ("exp(t, t)", "exp takes one argument"),
        ("where(t, 1, 0)", "where takes a comparison and two values"),
        ("a_1*t", "a_1 is no name for a parameter"),
        ("I*t", "I is no name for a parameter"),
        ("exp(exp(exp(700)))", "needs one that is written out"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, says):
    """One sentence with the name kernel, the place and the reason."""
    with pytest.raises(th.Refused, match=says) as refusal:
        th.Kernel(text)
    assert str(refusal.value).startswith("kernel ")


ATTACKS = [
    "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()",
    "[x for x in (1).__class__.__mro__]",
    "lambda: 0",
    "(x := 1)",
    "f'{t}'",
    "t.diff",
    "t; t",
    "[t]",
    "{t}",
    "*t",
    "t if t else t",
    "exec(bytes((105, 109)))",
    # full-width letters, which Python folds into ASCII
    "\uff45\uff58\uff45\uff43(\uff42\uff59\uff54\uff45\uff53((105,)))",
    "\uff51\uff55\uff49\uff54()",
    "\uff54",
    "t and t",
    "not t",
    "t < 1",
    "print(t)",
    "await t",
    "yield t",
    "None",
    "True",
    "...",
    "1j",
    "0x10",
    "1_000",
    "t\x00",
    "'t'",
    "t@t",
    "t//2",
    "~t",
    "exp(x=t)",
    "exp(*t)",
    "exp(**t)",
    "(lambda t: t)(t)",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_code_is_refused(text):
    """What Python would run is no formula."""
    with pytest.raises(th.Refused):
        th.Kernel(text)


def test_random_texts_run_nothing():
    """20,000 texts of words, brackets and signs, some of them spliced from attacks: read, or refused by name."""
    rng = random.Random(0)
    words = [*FUNCTIONS, *("t", "beta", "m", "where", "exec", "eval", "__class__", "lambda", "os", "1", "2.5", "1e9")]
    signs = [*"+-*/(),<>=^.[]{}'\"\\@~:;!%&|#$ \n\t", "**", "//", ":=", "\uff45", "\u03b2", "\u202e"]
    read = 0
    for _ in range(20_000):
        text = "".join(rng.choice(words if rng.random() < 0.5 else signs) for _ in range(rng.randrange(1, 25)))
        if rng.random() < 0.2:
            attack = rng.choice(ATTACKS)
            text = text[: rng.randrange(len(text) + 1)] + attack[rng.randrange(len(attack)) :]
        with suppress(th.Refused):
            assert isinstance(read_weight(text), sp.Expr)
            read += 1
    assert 0 < read < 5_000


def test_long_random_texts_are_refused_and_not_followed():
    """Random letters of any length up to 50,000."""
    rng = random.Random(1)
    for length in (100, 2_000, 50_000):
        for letters in (string.printable, "(", "-", "t+", "exp(", "**", "t**"):
            text = "".join(rng.choice(letters) for _ in range(length))
            with pytest.raises(th.Refused):
                read_weight(text)


LEAVES = sampled_from([("t", t), ("m", m), ("2", sp.Integer(2)), ("0.5", sp.Rational(1, 2))])


def grow(inner):
    """A text in brackets and the expression that it stands for."""
    signs = sampled_from([("+", add), ("-", sub), ("*", mul)])
    built = tuples(signs, inner, inner)
    return built.map(lambda b: (f"({b[1][0]}){b[0][0]}({b[2][0]})", b[0][1](b[1][1], b[2][1])))


@given(recursive(LEAVES, grow, max_leaves=12))
def test_sums_and_products_are_read_as_they_are_built(both):
    """A text and the expression it stands for, built side by side without the reader."""
    text, expression = both
    assert sp.expand(read_weight(text) - expression) == 0
