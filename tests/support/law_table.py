"""The table of all laws, from a recorded trial of each: ``python tests/support/law_table.py`` writes docs/laws.md.

And ten of them, in short, into the README; ``--readme`` writes these alone, from docs/laws.md and without a trial.
"""

import sys
from pathlib import Path

from gegenflow import __version__
from gegenflow.numerics.validation import laws, validate

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs" / "laws.md", ROOT / "README.md"
VERSION = __version__.split("+")[0].split(".dev")[0]
START, END = "<!-- laws: python tests/support/law_table.py -->\n", "<!-- end of laws -->\n"
HEADLINES = {
    "planted modes": "degree k grows at L_k w_k/beta (USA), that over w_0 (SA)",
    "density modes": "the same less L_k/kappa, for densities under noise 1/kappa",
    "boundaries by simulation": "degree k+1 overtakes k where I_{nu+1}/I_nu = L_k/L_{k+1}",
    "finite-token selection": "chances of each degree to emerge first from N tokens",
    "angles of emerging clusters": "theta_j = (2 pi j - arg mu_k)/k, mu_k at time 0",
    "orders of the expansion": "the n-th order in the amplitude errs by its (n+1)-th power",
    "stability threshold under noise": "kappa_k = beta/w_k (USA), beta w_0/w_k (SA)",
    "hitting times of equiangular tokens": "exact times for any number of tokens",
    "lifetime of clusters": "log T = (1 - cos(2 pi/k)) beta - log beta + O(1)",
    "pairing of the closest tokens": "their overlap is tanh 2s in the fast time s",
}
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


def headlines(page):
    """The ten of the README, from the rows of docs/laws.md: name, in short, worst check."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    worst = {row[0]: row[3] for row in rows}
    lines = (f"| {name} | {short} | {worst[name]} |\n" for name, short in HEADLINES.items())
    return "| law | in short | worst check |\n| --- | --- | --- |\n" + "".join(lines)


def with_headlines(readme, page):
    """The text of the README with the ten as the page has them."""
    before, rest = readme.split(START)
    return before + START + "\n" + headlines(page) + "\n" + END + rest.split(END)[1]


def main():
    """Try every law once, unless only the README is wanted, and write what was found."""
    if sys.argv[1:] != ["--readme"]:
        report = validate(everything=True, rng=0)
        print(report)
        rows = (row(law, [check for check in report.checks if check.law == law.name]) for law in laws())
        PAGE.write_text(INTRODUCTION + HEAD + "".join(rows))
    README.write_text(with_headlines(README.read_text(), PAGE.read_text()))


if __name__ == "__main__":
    main()
