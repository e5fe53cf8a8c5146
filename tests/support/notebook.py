"""What a notebook shows of a result, looked at as a browser would: whole tags of HTML, or LaTeX between dollars."""

import re
from html.parser import HTMLParser

ALONE = {"br"}
KNOWN = {"table", "caption", "tr", "th", "td", "p", "pre", "thead", "tbody", *ALONE}


class _Reader(HTMLParser):
    """Tags in their order; what is open; the text between them."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.open, self.faults, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        if tag not in KNOWN:
            self.faults.append(f"<{tag}>")
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def handle_data(self, data):
        self.text += data
        if "<" in data or ">" in data or "&" in data:
            self.faults.append(f"raw: {data[:60]}")


def html_faults(text):
    """What is wrong with a piece of HTML: unknown or crossed tags, letters not escaped, an object's address."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    faults = [*reader.faults, *(f"open: {tag}" for tag in reader.open)]
    return faults + re.findall(r"object at 0x\w+|Decimal\(|np\.float64\(|\bdtype=", reader.text)


def latex_faults(text):
    """What is wrong with LaTeX: no dollars around it, braces that do not match, an odd count of environments."""
    inner = text.strip()
    table = "\\begin{tabular}" in inner or "\\begin{longtable}" in inner
    faults = [] if table or (inner.startswith("$") and inner.endswith("$")) else ["no dollars around it"]
    depth = [0]
    for brace in re.findall(r"(?<!\\)[{}]", inner):
        depth.append(depth[-1] + (1 if brace == "{" else -1))
    return faults + ["braces"] * (min(depth) < 0 or depth[-1] != 0 or inner.count("\\begin") != inner.count("\\end"))


def shown(value):
    """(form, text) of each representation that a notebook may choose."""
    for form in ("_repr_html_", "_repr_latex_"):
        if callable(getattr(value, form, None)) and not isinstance(value, type):
            yield form, getattr(value, form)()


def faults(value):
    """What is wrong with all that a notebook shows of a value; that it shows nothing of it but its text, too."""
    found = dict(shown(value))
    html, latex = found.get("_repr_html_"), found.get("_repr_latex_")
    looked = [*(html_faults(html) if html else []), *(latex_faults(latex) if latex else [])]
    return looked or ["only text"] * (not found)
