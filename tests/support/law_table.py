"""The table of all laws, from a recorded trial of each: ``python tests/support/law_table.py`` writes docs/laws.md.

And the ten that matter most into the README.
"""

import re
from pathlib import Path

from gegenflow import __version__
from gegenflow.numerics.validation import laws, validate

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs" / "laws.md", ROOT / "README.md"
VERSION = __version__.split("+")[0].split(".dev")[0]
START, END = "<!-- laws: python tests/support/law_table.py -->\n", "<!-- end of laws -->\n"
HEADLINES = (
    "planted modes",
    "density modes",
    "boundaries by simulation",
    "finite-token selection",
    "angles of emerging clusters",
    "orders of the expansion",
    "stability threshold under noise",
    "hitting times of equiangular tokens",
    "lifetime of clusters",
    "pairing of the closest tokens",
)
HEAD = "| law | states | source | worst check | nearest rival | theory times 1.02 |\n" + "| --- " * 6 + "|\n"
INTRODUCTION = f"""# Laws

What the theory states and simulations try, `gegenflow validate NAME`; `gegenflow validate NAME -h` explains one with
its parameters and rivals. The last columns are those of one trial at the defaults with `rng=0`, version {VERSION}:
how far the worst check is off, in error bars (p: of a chi-square), by how many the data refute the nearest rival, and
by how many its sharpest check would have refuted a theory two hundredths too large. [Coverage](coverage.md) says how
well the bars of random tokens cover.

"""


def in_a_cell(statement):
    """A statement as a cell of a table, where a bar would end it."""
    return statement.replace(r"\|", r"\Vert ").replace("|", r"\vert ")


def row(law, checks):
    """A line of the table."""
    worst = min(checks, key=lambda check: check.chance)
    off = f"p = {worst.p_value:.2g}" if worst.p_value is not None else f"{worst.off_by:.1f} bars"
    rivals = [(r["bars"], r["name"]) for check in checks for r in check.to_dict()["rivals"] if check.p_value is None]
    bars, name = min(rivals, default=(None, ""))
    rival = f"{name}: {bars:.3g} bars" if name and bars is not None else name
    moved = [abs(1.02 * c.predicted - c.measured) / c.error for c in checks if c.p_value is None and c.error > 0]
    seen = f"{max(moved):.3g} bars" if moved else ""
    return f"| {law.name} | ${in_a_cell(law.statement)}$ | {law.source} | {off} | {rival} | {seen} |\n"


def main():
    """Try every law once and write both tables."""
    report = validate(everything=True, rng=0)
    print(report)
    rows = {}
    for law in laws():
        checks = [check for check in report.checks if check.law == law.name]
        rows[law.name] = row(law, checks)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(INTRODUCTION + HEAD + "".join(rows.values()))
    text = README.read_text()
    ten = HEAD + "".join(rows[name] for name in HEADLINES)
    README.write_text(
        re.sub(f"(?s)({re.escape(START)}).*({re.escape(END)})", lambda m: m[1] + "\n" + ten + "\n" + m[2], text)
    )


if __name__ == "__main__":
    main()
