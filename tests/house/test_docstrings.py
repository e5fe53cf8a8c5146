r"""Every parameter of every public callable is told in its docstring: meaning, shape, unit, allowed values, default.

One form, which Sphinx renders without an extension and which reads as well in a terminal: after the first sentences and
the formula, before the examples, one line a parameter,

    :param dim: d of the sphere S^{d-1}, >= 2
    :param start: tokens on the sphere, shape (n, dim)
    :param digits: significant digits to certify, >= 1 (default 15)

A callable of at most three parameters may name them in its sentences instead, in double backticks. The fields of a
dataclass are the parameters of its class. Neighbours stand in the last line, by a name that is public once:

    See also :func:`.critical_beta_bounds`, :class:`.Phase`, :meth:`.Kernel.at`.
"""

import inspect
import pydoc
import re
from collections import Counter

import pytest
from support.docstrings import listed
from support.names import NAMES

FEW = 3
"""Parameters that sentences may name without a list."""
LONGEST = 70
"""Characters of one parameter, with its annotation and default, in a signature; beyond, an alias is due."""
STANDARD = {
    "digits": ("significant digits to certify, >= 1",),
    "model": ('"usa" (unnormalised) or "sa" (softmax)',),
    "kernel": ("attention weight h(t)",),
    "beta": ("inverse temperature",),
    "dim": ("d of the sphere S^{d-1}",),
    "degree": ("degree of ",),
    "noise": ("noise 1/kappa",),
}
"""How a line begins that tells a parameter which returns again and again."""
OF_NUMERICS = {
    "tokens": ("tokens on the sphere, shape (n, dim)", "number of "),
    "weights": ("weights of the tokens",),
    "flow": ("what moves ", "what moved "),
    "short": ("parts of a :class:`Flow` in place of it",),
    "query_key": ("B of the scores, shape (dim, dim)",),
    "rng": ("seed >= 0",),
    "t_end": ("time to end at, >",),
    "save_at": ("times to save at, shape (times,), not decreasing, within [",),
    "rtol": ("relative tolerance of a step, >= 1e-13 and < 1",),
    "atol": ("absolute tolerance of a step, >= 0",),
    "observe": ("observables ", "a function of the time and the state"),
    "stop_when": ("a :class:`Crossing`, or several",),
    "record_when": ("a :class:`Crossing`, or several",),
    "progress": ("show a bar on a terminal or in a notebook",),
}
"""The same for functions of the numerics alone: to the theory, some of these names are other things."""
NUMERIC = re.compile(r"^(int|float|Real|Whole|Expr)( \| None)?$")
RANGE = re.compile(r"[<>]|\bany\b|\breal\b|\bbetween\b|\bshare\b|\[0, 1\]|\bone of\b")
DEFAULT = re.compile(r"\bNone\b|\bdefault\b|\bwithout\b")
STATED = re.compile(r"\bdefault (\"[\w ]+\"|-?\w[\w.-]*)(?=\)|;|,|$)")
SEE = re.compile(r":(?:func|class|meth|attr|data):`\.([\w.]+)`")


def home(thing):
    """The room that holds a thing, as theory.phases."""
    return ".".join(thing.__module__.split(".")[1:3])


def methods(kind):
    """Public methods of a class that this package defines, and its call, by name, unbound."""
    for owner in reversed(kind.__mro__):
        if not owner.__module__.startswith("gegenflow"):
            continue
        for name, member in vars(owner).items():
            inner = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            if inspect.isfunction(inner) and (name == "__call__" or not name.startswith("_")):
                yield name, inner


def callables():
    """Each public function, class and method once, under the name of its room."""
    found, seen = {}, set()
    for name, thing in NAMES.items():
        own = getattr(thing, "__module__", None) or ""
        if not callable(thing) or not own.startswith("gegenflow") or id(thing) in seen:
            continue
        seen.add(id(thing))
        short = f"{home(thing)}.{name.rpartition('.')[2]}"
        found[short] = thing
        if inspect.isclass(thing):
            found |= {f"{short}.{method}": inner for method, inner in methods(thing)}
    return found


CALLABLES = callables()
ENDS = Counter(
    ".".join(parts[start:])
    for parts in (name.split(".") for name in CALLABLES)
    for start in range(len(parts))
)  # fmt: skip


def parameters(thing):
    """Those that a caller gives; none where Python knows no signature."""
    try:
        given = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return []
    first = not inspect.isclass(thing)
    return [p for place, p in enumerate(given) if not (first and place == 0 and p.name in ("self", "cls"))]


def written(annotation):
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def is_default(stated, parameter):
    """Whether a default that a line states, a number, a text in quotes or a name, is that of the parameter."""
    if parameter.default is parameter.empty:
        return parameter.kind is parameter.VAR_KEYWORD  # options that have their own
    try:
        return float(stated) == float(parameter.default)
    except (TypeError, ValueError):
        return stated.strip('"') == str(parameter.default)


def faults(thing, text):
    """What a docstring leaves out."""
    told, given = listed(text), parameters(thing)
    own = home(thing).startswith("numerics.") and not inspect.isclass(thing)
    usual = STANDARD | OF_NUMERICS if own else STANDARD
    in_words = set(re.findall(r"``\**(\w+)(?:=[^`]*|\([^`]*\))?``", text)) if len(given) <= FEW else set()
    for parameter in given:
        name, words = parameter.name, told.get(parameter.name, "")
        if name not in told and name not in in_words:
            yield f"{name} is not told"
            continue
        if parameter.default is None and not DEFAULT.search(words or text):
            yield f"{name} is None by default, and that is not told"
        ranged = NUMERIC.match(written(parameter.annotation)) and not inspect.isclass(thing)
        if name in told and ranged and not RANGE.search(words):
            yield f"{name} has no range"
        if not all(is_default(value, parameter) for value in STATED.findall(words)):
            yield f"{name} has another default than that"
        if name in told and not words.startswith(usual.get(name, "")):
            yield f"{name} is told in other words than elsewhere: {usual[name][0]} ..."
    yield from (f"{name} is no parameter" for name in told.keys() - {p.name for p in given})


@pytest.mark.parametrize("name", CALLABLES)
def test_every_parameter_is_told(name):
    """In the list, or by name in the sentences of a short call: with the meaning of None, a range, the usual words."""
    text = inspect.getdoc(CALLABLES[name]) or ""
    assert text
    assert not list(faults(CALLABLES[name], text))


@pytest.mark.parametrize("name", CALLABLES)
def test_neighbours_that_are_named_exist_once(name):
    """Each name with a dot before it is the end of one public name, so that the site can link it."""
    for target in SEE.findall(inspect.getdoc(CALLABLES[name]) or ""):
        assert ENDS[target] == 1, target


@pytest.mark.parametrize("name", CALLABLES)
def test_signatures_are_short(name):
    """No parameter and no result is written out as a union that fills a line."""
    try:
        signature = inspect.signature(CALLABLES[name])
    except (TypeError, ValueError):
        return
    assert [str(p) for p in signature.parameters.values() if len(str(p)) > LONGEST] == []
    assert len(written(signature.return_annotation)) <= LONGEST


def test_help_opens_with_types_as_they_are_written():
    """Not with the 600 characters that numpy makes of ArrayLike."""
    opening = pydoc.render_doc(NAMES["numerics.simulate"], renderer=pydoc.plaintext).split("\n\n")[1]
    assert "tokens: 'ArrayLike'" in opening or "tokens: ArrayLike" in opening
    assert "_typing" not in opening


def test_a_docstring_that_says_nothing_is_seen():
    """Each fault by a function that has it."""

    def call(beta: float, degree: int, *, digits: int | None = None, width: float = 1.0) -> None:
        pass

    told = ":param beta: inverse temperature, >= 0\n:param degree: degree of the harmonic, >= 1\n"
    digits = ":param digits: significant digits to certify, >= 1; None (default): the formula\n"
    assert not list(faults(call, told + digits + ":param width: in radians,\n    > 0\n"))
    assert list(faults(call, told + digits + "and ``width``")) == ["width is not told"]
    assert list(faults(call, told + digits + ":param width: in radians")) == ["width has no range"]
    assert list(faults(call, told + ":param digits: significant digits to certify, >= 1\n:param width: > 0")) == [
        "digits is None by default, and that is not told"
    ]
    other = told + digits + ":param width: > 0 (default 2.5)"
    assert list(faults(call, other)) == ["width has another default than that"]
    assert not list(faults(call, other.replace("2.5", "1")))
    odd = told.replace("inverse temperature", "a number") + digits + ":param width: > 0\n:param height: > 0"
    assert [fault.split()[0] for fault in faults(call, odd)] == ["beta", "height"]
