"""Where the linear theory holds: two thousand points of a recorded study, and what is left of it at large amplitudes.

The theory says how fast each degree of uniform tokens grows, which of them is first at an amplitude a, and when. Both
laws are tried over dims 2 to 6, beta 0.5 to 12, USA and SA, three kernels, and 200 to 20,000 tokens: growth over a
quarter of the time in which the fastest degree grows by e, and the race to a = 0.1, 0.2, 0.3 and 0.4. The first tells
whether checks lie beyond 1, 2 and 3 of their error bars as often as chance has it. The second tells how far off the
mean time of emergence is, over the two numbers that could decide it: N a^2, by how much the start must grow, and a,
how far it goes.

Reference: rates of Bruno, Pasqualotto, Agazzi, arXiv 2410.23228; the law of the race and this map are derived here.

Run: python worked_examples/linear_theory.py [figure.png]     (2 s on one core; reads the csv.gz)
     python worked_examples/linear_theory.py --study FOLDER   (80 minutes of processor time; writes the csv.gz)
"""

import csv
import gzip
import sys
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import norm

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th
from gegenflow.numerics.tokens.files import write_atomically
from gegenflow.numerics.validation.case import MOST_DEGREES, Case
from gegenflow.numerics.validation.studies.gathering import compared
from gegenflow.numerics.validation.studies.store import reading
from gegenflow.numerics.validation.studies.tables import rows_of, tallied

FOLDER = Path(__file__).parent
FIGURE, RECORD = FOLDER / "linear_theory.png", FOLDER / "linear_theory.csv.gz"
STUDIES = ("growth", "selection")
KEPT = ("model", "kernel", "beta", "dim", "tokens", "amplitude", "runs")
MEASURED = ("predicted", "measured", "error", "chance")
MEAN_TIME = "mean time"
EDGES = (0, 6, 25, 100, 400, 10_000)
"""Of the classes of N a^2."""


def study(folder, record=RECORD):
    """Make the runs of both studies that the folder does not hold yet; write a row for each check and each failure."""
    rows = []
    for name in STUDIES:
        place = Path(folder) / name
        swept = nm.validation.studies.sweep(nm.validation.studies.read_study(FOLDER / f"{name}.toml"), place)
        print(swept, flush=True)
        with reading(place) as store:
            rows += [told(name, row) for row in rows_of(store)]
    text = th.Table(tuple(rows)).to("csv") + "\n"
    write_atomically(record, lambda file: file.write(gzip.compress(text.encode(), mtime=0)))


def told(name, row):
    """A row of the record: what was tried where, to six digits; of the race also the rate of the fastest degree."""
    check = compared(row["name"], {name: row[name] for name in KEPT if name in row}) if row.get("name") else ""
    numbers = {column: f"{row[column]:.6g}" if row.get(column) is not None else "" for column in MEASURED}
    rate = f"{fastest(*map(row.get, KEPT[:4])):.6g}" if check == MEAN_TIME else ""
    head = {column: row.get(column, "") for column in KEPT}
    return {
        "study": name,
        **head,
        "check": check,
        **numbers,
        "rate": rate,
        "failure": row["failure"] or "",
    }


@cache
def fastest(model, kernel, beta, dim):
    """The rate of the degree that grows fastest."""
    return Case(dim, beta, model, th.Kernel(kernel)).rates_to(MOST_DEGREES).max()


def recorded(record=RECORD):
    """The rows of the record, numbers as numbers."""
    words = ("study", "model", "kernel", "check", "failure")
    with gzip.open(record, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {name: text if name in words or not text else float(text) for name, text in row.items()}


def spread(rows):
    """How many checks there are, and the shares beyond 1, 2 and 3 bars, in percent."""
    tally = tallied(row["chance"] for row in rows)
    return {"checks": tally["count"]} | {f"> {bars}": f"{100 * share:.2f}" for bars, share in tally["beyond"].items()}


def by_chance(count):
    """What chance has for so many independent checks, with its standard deviation, in percent."""
    shares = tallied([])["chance"].items()
    told = {f"> {bars}": f"{100 * p:.2f} ± {100 * np.sqrt(p * (1 - p) / count):.2f}" for bars, p in shares}
    return {"checks": count} | told


def spreads(rows):
    """The tables of shares: of growth by number of tokens, of the race by amplitude."""
    growth = [row for row in rows if row["study"] == "growth" and row["check"]]
    table = [{"tokens": "all", **spread(growth)}]
    for tokens in sorted({row["tokens"] for row in growth}):
        table.append({"tokens": f"{tokens:.0f}", **spread([row for row in growth if row["tokens"] == tokens])})
    table.append({"tokens": "chance, all", **by_chance(len(growth))})
    race = [row for row in rows if row["study"] == "selection" and row["check"]]
    other = []
    for amplitude, low in product(sorted({row["amplitude"] for row in race}), (True, False)):
        for check in ("degrees", MEAN_TIME):
            found = [row for row in race if (row["amplitude"], row["check"]) == (amplitude, check)]
            found = [row for row in found if (row["tokens"] * amplitude**2 < EDGES[1]) == low]
            if found:
                head = {"a": f"{amplitude:g}", "N a^2": f"{'<' if low else '>='} {EDGES[1]}", "check": check}
                other.append({**head, **spread(found)})
    other.append({"a": "chance", "N a^2": "", "check": "", **by_chance(len(found))})
    return th.Table(tuple(table)), th.Table(tuple(other))


def lateness(rows):
    """Of each mean time of emergence T: N a^2, a, beta, its relative deviation, and rate (T - law)."""
    times = [row for row in rows if row["check"] == MEAN_TIME]
    columns = ("tokens", "amplitude", "beta", "predicted", "measured", "rate")
    tokens, a, beta, law, found, rate = np.array([[row[name] for name in columns] for row in times]).T
    return tokens * a**2, a, beta, found / law - 1, rate * (found - law)


def mean(values):
    """The mean over points and its standard error, as they scatter."""
    return values.mean(), values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan


def lost(rows):
    """By how much less log A has grown than the theory says when it is a: means over points by beta, and c a^p."""
    _, a, beta, _, shift = lateness(rows)
    sizes = np.unique(a)
    for one in np.unique(beta):
        means, errors = np.array([mean(shift[(beta == one) & (a == size)]) for size in sizes]).T
        (_, power), covariance = curve_fit(
            lambda x, c, p: c * x**p, sizes, means, (1, 2), sigma=errors, absolute_sigma=True
        )
        cells = {f"a = {size:g}": f"{m:.3f} ± {e:.3f}" for size, m, e in zip(sizes, means, errors, strict=True)}
        yield {"beta": f"{one:g}", **cells, "power p": f"{power:.1f} ± {np.sqrt(covariance[1, 1]):.1f}"}


def classes(rows):
    """The mean deviation of the time of emergence, in percent, by class of N a^2 and amplitude."""
    level, a, _, late, _ = lateness(rows)
    for low, high in pairwise(EDGES):
        row = {"N a^2": f"{low} to {high}"}
        for amplitude in np.unique(a):
            inside = late[(low <= level) & (level < high) & (a == amplitude)]
            value, error = mean(inside) if len(inside) > 1 else (np.nan, np.nan)
            row[f"a = {amplitude:g}"] = f"{100 * value:+.1f} ± {100 * error:.1f}" if len(inside) > 1 else ""
        yield row


def draw(axes, rows):
    """Pulls of growth beside the normal law, deviations over N a^2 and a, and what log A has lost."""
    signs = [np.sign(row["measured"] - row["predicted"]) for row in rows if row["study"] == "growth" and row["check"]]
    chances = [row["chance"] for row in rows if row["study"] == "growth" and row["check"]]
    pulls = np.array(signs) * norm.isf(np.array(chances) / 2)
    edges = np.linspace(-4, 4, 33)
    axes[0].hist(pulls, edges, density=True, color=pictures.COLORS[6], label=f"{len(pulls)} checks of growth")
    axes[0].plot(edges, norm.pdf(edges), "k-", label="chance")
    axes[0].set(xlabel="measured - predicted (error bars)", ylabel="density", title="growth from uniform tokens")

    level, a, beta, late, shift = lateness(rows)
    for place, amplitude in enumerate(np.unique(a)):
        here = a == amplitude
        spots = dict(color=pictures.COLORS[place], marker=pictures.MARKERS[place])
        axes[1].plot(level[here] * 1.04**place, 100 * late[here], ls="none", ms=3, alpha=0.4, **spots)
        centres = [np.median(level[here & (level == one)]) for one in np.unique(level[here])]
        means = [100 * np.mean(late[here & (level == one)]) for one in np.unique(level[here])]
        axes[1].plot(centres, means, ls=pictures.LINES[place], label=f"a = {amplitude:g}", **spots)
    axes[1].axhline(0, color=pictures.MUTED, lw=1)
    axes[1].set(xscale="log", ylim=(-20, 60), xlabel="N a²", ylabel="time of emergence, later than predicted (%)")
    axes[1].set_title("the race, by level and amplitude")

    for place, one in enumerate(np.unique(beta)):
        means, errors = np.array([mean(shift[(beta == one) & (a == at)]) for at in np.unique(a)]).T
        spots = {"color": pictures.COLORS[place], "marker": pictures.MARKERS[place], "ls": pictures.LINES[place]}
        axes[2].errorbar(np.unique(a), means, errors, label=f"β = {one:g}", **spots)
    axes[2].set_yscale("symlog", linthresh=0.1)
    axes[2].set(
        yticks=[0, 0.05, 0.1, 0.2, 0.5, 1, 2],
        yticklabels=["0", "0.05", "0.1", "0.2", "0.5", "1", "2"],
        xlabel="amplitude a",
        ylabel="log amplitude lost",
    )
    axes[2].set_title("what nonlinear terms take")
    for ax in axes:
        pictures.legend(ax)


@pictures.style()
def main(quick=False, figure=FIGURE):
    """Print the shares and the map, and draw them; returns the tables."""
    rows = list(recorded())
    tables = [*spreads(rows), th.Table(tuple(classes(rows))), th.Table(tuple(lost(rows)))]
    fig, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    draw(axes, rows)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    failures = [row["failure"] for row in rows if row["failure"]]
    told = (table.to("markdown") for table in tables)
    print(*told, f"{len(failures)} points were refused", f"figure in {figure}", sep="\n\n")
    return tables


if __name__ == "__main__":
    if "--study" in sys.argv[1:]:
        study(sys.argv[sys.argv.index("--study") + 1])
    else:
        main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
