"""LaTeX as MathML, which browsers typeset by themselves: no script, no font, no network."""

from __future__ import annotations

import re
from html import escape

from gegenflow.numerics.tokens.refusals import Refused

NAMED = re.compile(r"\\(arg|arccos|arctan|cos|exp|log|sin|tan)\b(?=\s*[a-zA-Z0-9\\])(?!\s*\\(?:left|big|Big|,))")
"""Functions that an argument without brackets follows, from which a thin space sets them off."""
DOUBLE_BARS = re.compile(r"\\[bB]ig\\\|")


def formula(latex: str, *, display: bool = False) -> str:
    r"""A formula in LaTeX as an element of MathML, in the line or on lines of its own.

    >>> "<msub><mi>&#x003B3;</mi><mi>k</mi></msub>" in formula(r"\gamma_k > 0")
    True

    Raises ValueError where latex2mathml, of the extra ``report``, is not installed.
    """
    try:
        from latex2mathml.converter import convert
    except ImportError as error:
        raise Refused(
            "report", None, 'formulas are typeset by latex2mathml: pip install "gegenflow[report]"'
        ) from error
    spaced = NAMED.sub(r"\\operatorname{\1}\\,", DOUBLE_BARS.sub(r"\\|", latex))
    return str(convert(spaced, display="block" if display else "inline"))


def sentence(words: str) -> str:
    r"""A sentence with formulas between dollars as HTML.

    >>> sentence("a < b")
    'a &lt; b'
    """
    parts = re.split(r"\$([^$]*)\$", words)
    return "".join(formula(part) if place % 2 else escape(part) for place, part in enumerate(parts))
