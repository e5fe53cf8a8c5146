"""Tables: every format read back by another program's rules gives the decimals that were certified."""

import csv
import io
import json
import re
from xml.etree import ElementTree

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import integers, lists, sampled_from, text

import gegenflow
from gegenflow import theory as th
from gegenflow.theory.exact.tables import FORMATS


def from_csv(written: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(written)))


def from_text(written: str) -> list[list[str]]:
    return [re.split(r" {2,}", line) for line in written.splitlines()]


def from_markdown(written: str) -> list[list[str]]:
    lines = [re.split(r" (?<!\\)\| ", line.removeprefix("| ").removesuffix(" |")) for line in written.splitlines()]
    assert lines.pop(1) == ["---"] * len(lines[0])
    return lines


def from_json(written: str) -> list[list[str]]:
    rows = json.loads(written)["rows"]
    return [list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]


def from_html(written: str) -> list[list[str]]:
    root = ElementTree.fromstring(written)
    assert root.tag == "table"
    return [[cell.text or "" for cell in line] for line in root]


HEADINGS = {"$d$": "dim", "$k$": "degree", r"$\beta_{k}$": "beta", r"$\beta$": "beta", r"$\gamma_{k}$": "rate"}


def from_latex(written: str) -> list[list[str]]:
    first, *body = (line for line in written.splitlines() if not line.startswith("%"))
    top, head, rule, *lines, bottom, last = body
    if "longtable" in first:
        head, *lines = [line for line in body if line.endswith(r"\\")]
    else:
        assert (top, rule, bottom, last) == (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}")
    assert re.fullmatch(r"\\begin\{\w+\}\{[rl]+\}", first)
    assert len(first.split("{")[2]) - 1 == len(head.split(" & "))

    def plain(cell: str) -> str:
        cell = re.sub(r"\\phantom\{[-0]+\}", "", cell.strip("$"))
        power = re.search(r" \\cdot 10\^\{(-?\d+)\}$", cell)
        return (
            f"{cell[: power.start()]}e{int(power[1]):+d}" if power else cell.replace("USA", "usa").replace("SA", "sa")
        )

    cells = [line.removesuffix(r" \\").split(" & ") for line in (head, *lines)]
    return [[HEADINGS.get(cell, cell) for cell in cells[0]], *([plain(cell) for cell in row] for row in cells[1:])]


READERS = {
    **{"csv": from_csv, "text": from_text, "markdown": from_markdown},
    **{"json": from_json, "html": from_html, "latex": from_latex},
}


@given(
    lists(integers(2, 200), min_size=1, max_size=3),
    lists(integers(1, 300), min_size=1, max_size=3),
    integers(1, 30),
    sampled_from(sorted(READERS)),
)
def test_every_format_gives_back_the_certified_boundaries(dims, degrees, digits, form):
    """Parsed by csv, json, an XML parser or patterns written here, against critical_beta called apart."""
    header, *rows = READERS[form](th.Table(th.critical_table(dims, degrees, digits).rows).to(form))
    assert header == ["dim", "degree", "beta", "error"]
    expected = []
    for dim in dims:
        for degree in degrees:
            boundary = th.critical_beta(degree, dim, digits)
            expected.append([str(dim), str(degree), boundary.value, boundary.error])
    assert rows == expected


@given(
    sampled_from([("5", "usa"), ("0.1", "sa"), ("1000", "usa"), ("1e-9", "usa"), ("7/3", "sa"), ("0", "usa")]),
    lists(integers(1, 60), min_size=1, max_size=3),
    sampled_from(sorted(READERS)),
)
def test_every_format_gives_back_the_certified_rates(run, degrees, form):
    """Also with huge and tiny numbers, where the exponent has to survive; beta stays as it was given."""
    beta, model = run
    table = th.growth_table([2, 3], degrees, beta, model=model, digits=12)
    header, *rows = READERS[form](th.Table(table.rows).to(form))
    assert header == ["dim", "degree", "beta", "model", "rate", "error"]
    expected = []
    for dim in (2, 3):
        for degree in degrees:
            rate = th.growth_rate(degree, dim, beta, model=model, digits=12)
            expected.append([str(dim), str(degree), beta, model, rate.value, rate.error])
    assert rows == expected


def test_all_formats_are_tested():
    """A format added later must be read back here."""
    assert set(READERS) == set(FORMATS)


@given(lists(text(alphabet="ab<>&\"',; \n|", min_size=1, max_size=8), min_size=2, max_size=2))
@settings(max_examples=30)
def test_csv_json_and_html_escape_any_text(cells):
    """Cells with commas, quotes, angle brackets and line ends come back unchanged; HTML through an XML parser."""
    table = th.Table(({"a": cells[0], "b": cells[1]},))
    assert from_csv(table.to("csv"))[1] == cells
    assert from_json(table.to("json"))[1] == cells
    assert from_html(table.to("html"))[1] == cells


def test_notebooks_and_print_show_the_same_table():
    """The representations are the formats of the same name."""
    table = th.critical_table([2], [1, 2], 8)
    assert (str(table), table._repr_html_(), table._repr_latex_()) == tuple(map(table.to, ("text", "html", "latex")))


@pytest.mark.parametrize("form", ["xml", "", "CSV", None])
def test_an_unknown_format_is_named_with_the_known_ones(form):
    """ValueError that lists what there is."""
    with pytest.raises(ValueError, match=rf"^format {form}: (did you mean csv\? C|c)hoose from text, csv"):
        th.critical_table([2], [1], 3).to(form)


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_table_has_no_rows_in_any_format(form):
    """No rows are no error."""
    assert "error" not in th.critical_table([], [1]).to(form)


@pytest.mark.parametrize("form", FORMATS)
def test_numpy_ranges_make_tables(form):
    """np.arange is how one writes a range of dimensions: its integers must print, also as JSON."""
    plain = th.critical_table(range(2, 4), range(1, 3), 5)
    assert th.critical_table(np.arange(2, 4), np.arange(1, 3), 5).to(form) == plain.to(form)


def test_bad_input_is_named():
    """Errors of the functions behind the tables come through."""
    with pytest.raises(ValueError, match=r"^dim 1"):
        th.critical_table([2, 1], [1])
    with pytest.raises(ValueError, match=r"^degree 0"):
        th.growth_table([2], [0], 5)
    with pytest.raises(ValueError, match=r"^beta -1"):
        th.growth_table([2], [1], -1)
    with pytest.raises(ValueError, match=r"^model relu"):
        th.growth_table([2], [1], 5, model="relu")


def test_a_table_is_the_sequence_of_its_rows():
    """Length, rows, slices, columns, equality, hash; a row of other columns is refused."""
    table = th.critical_table([2, 3], range(1, 9), 8)
    assert len(table) == len(table.rows) == len(list(table)) == 16
    assert table[-1]["dim"] == 3
    assert table[2:4].rows == table.rows[2:4]
    assert table["degree"] == tuple(range(1, 9)) * 2
    assert table == th.critical_table([2, 3], range(1, 9), 8)
    assert {table: 1}[th.Table(tuple(map(dict, table)), table.facts)] == 1
    assert table != table[1:]
    with pytest.raises(KeyError, match="column rate: choose from dim, degree, beta, error"):
        table["rate"]
    with pytest.raises(ValueError, match="columns degre: did you mean degree"):
        table.select(["dim", "degre"])
    assert table.select(["error", "dim"]).columns == ("error", "dim")
    assert table.select("beta")["beta"] == table["beta"]
    with pytest.raises(ValueError, match="row 1 has the columns"):
        th.Table(({"a": 1}, {"b": 2}))
    assert repr(table).splitlines()[6] == "... 6 more lines"
    assert len(str(table).splitlines()) == 17


@pytest.mark.parametrize("form", sorted(READERS))
def test_facts_are_told_beside_the_rows(form):
    """With facts every format says them, CSV in columns of their own and others where a reader that skips comments
    finds the same rows; without, none does."""
    plain, facts = th.Table(th.critical_table([2], [1, 2], 8).rows), {"model": "usa", "note": "a -- b < c", "digits": 8}
    told = th.Table(plain.rows, facts).to(form)
    body = "\n".join(line for line in told.splitlines() if not line.startswith(("<!-- ", "% ", "<caption>")))
    if form == "csv":
        read = [*csv.DictReader(io.StringIO(told))]
        assert [{name: row[name] for name in facts} for row in read] == [{n: str(v) for n, v in facts.items()}] * 2
        body = th.Table(tuple({name: row[name] for name in plain.columns} for row in read)).to("csv")
    assert READERS[form](body) == READERS[form](plain.to(form))
    if form == "json":
        assert {name: json.loads(told)[name] for name in facts} == facts
    elif form not in ("text", "csv"):
        assert "model: usa" in told
        assert "model" not in plain.to(form)
    if form == "html":
        ElementTree.fromstring(told)
    with pytest.raises(ValueError, match="rows"):
        th.Table(plain.rows, {"rows": 1})


def test_the_wide_layout_holds_every_number_once():
    """Each where its row and column say, against the long rows; what is constant and the largest error are facts."""
    table = th.critical_table([2, 3, 8], range(1, 5), 9)
    wide = table.wide("beta")
    assert wide.columns == ("dim", "beta_1", "beta_2", "beta_3", "beta_4")
    for row in table:
        (line,) = [line for line in wide if line["dim"] == row["dim"]]
        assert line[f"beta_{row['degree']}"] == row["beta"]
    assert wide.facts == {**table.facts} | {"largest_error": max(table["error"], key=float)}
    rates = th.growth_table([2], [1, 2], "5", digits=6)
    both = th.Table((*rates, *th.growth_table([2], [2], "1/3", digits=6)), rates.facts).wide("rate", down="beta")
    assert (both.facts["dim"], both["beta"], both["rate_1"][1]) == (2, ("5", "1/3"), "")
    assert both["rate_2"] == (rates[1]["rate"], th.growth_rate(2, 2, "1/3", digits=6).value)
    with pytest.raises(ValueError, match="down: the column dim varies"):
        table.wide("beta", down="error")
    with pytest.raises(ValueError, match="across: rate_1 is both"):
        th.Table((*rates, *th.growth_table([2], [1], "5", digits=7))).wide("rate")
    with pytest.raises(ValueError, match="columns rate"):
        table.wide("rate")
    assert th.Table(()).wide("beta") == th.Table(())


def test_columns_of_the_wide_layout_stand_in_the_order_of_their_numbers():
    """Also where the first row has not all of them; nan is one value, and no error is larger than what is none."""
    nan = float("nan")
    rows = [(2, 2, 1.0, nan), (3, 1, nan, 0.5), (3, 2, nan, None), (3, 10, 4.0, 0.1)]
    table = th.Table(tuple(dict(zip(("dim", "degree", "beta", "error"), row, strict=True)) for row in rows))
    wide = table.wide("beta")
    assert wide.columns == ("dim", "beta_1", "beta_2", "beta_10")
    assert wide["beta_2"][0] == 1.0
    assert str(wide.facts["largest_error"]) in ("nan", "None")
    for names in ([], 3, None, [3]):
        with pytest.raises(ValueError, match="columns"):
            table.select(names)
    with pytest.raises(ValueError, match="value 3: the names of columns"):
        table.wide(3)
    with pytest.raises(ValueError, match="columns beta: the table is empty"):
        th.Table(()).select("beta")


def test_a_line_of_markdown_is_a_row():
    """Also where a cell breaks its own."""
    lines = th.Table(({"a": "x\ny | z", "b": 1},)).to("markdown").splitlines()
    assert lines == ["| a | b |", "| --- | --- |", r"| x y \| z | 1 |"]


def test_json_is_strict_for_any_cell():
    """null for what is not finite, whole numbers of numpy as such, text for a ball."""

    def refuse(name):
        raise AssertionError(name)

    row = {"a": float("nan"), "b": np.int64(3), "c": th.growth_rate(2, 2, beta=5, digits=5), "d": None, "e": True}
    (told,) = json.loads(th.Table((row,), {"f": float("inf")}).to("json"), parse_constant=refuse)["rows"]
    assert told == {"a": None, "b": 3, "c": str(row["c"]), "d": None, "e": True}


def test_captions_and_labels_stand_in_the_formats_that_have_them():
    """In the others they are refused, so that none is lost without a word."""
    table = th.critical_table([2], [1], 6)
    told = table.to("latex", caption=r"All of $\beta$", label="tab:all")
    lines = told.splitlines()
    assert [line for line in lines if line.startswith((r"\cap", r"\lab"))] == [
        r"\caption{All of $\beta$}",
        r"\label{tab:all}",
    ]
    assert lines[-1] == r"\end{table}"
    assert table.to("markdown", caption="All").endswith("|\n\nTable: All")
    for form in ("text", "csv", "json", "html"):
        with pytest.raises(ValueError, match=r"^caption All"):
            table.to(form, caption="All")
    with pytest.raises(ValueError, match=r"^label x"):
        table.to("markdown", label="x")


def test_a_data_frame_holds_the_decimals():
    """pandas is optional: the frame where it is there, one sentence where it is not."""
    table = th.Table(th.critical_table([2], [1, 2], 20).rows, {"model": "usa"})
    try:
        import pandas
    except ImportError:
        with pytest.raises(ImportError, match="pip install pandas"):
            table.to_pandas()
        return
    frame = table.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert tuple(frame["beta"]) == table["beta"]
    assert frame.attrs == {"model": "usa"}


def plain_newton(degree: int, dim: int, digits: int) -> mpmath.mpf:
    """What one would write without this package: mpmath.findroot on Bessel functions, nothing certified."""
    with mpmath.workdps(digits + 5):
        order = degree + mpmath.mpf(dim) / 2 - 1
        c = mpmath.mpf(degree * (degree + dim - 2)) / ((degree + 1) * (degree + dim - 1))
        start = 2 * c * (order + 0.5) / (1 - c**2)
        difference = lambda b: mpmath.besseli(order + 1, b) - c * mpmath.besseli(order, b)  # noqa: E731
        scaled = lambda b: difference(b) / mpmath.besseli(order, b)  # noqa: E731
        return mpmath.findroot(scaled, (start, 1.02 * start))


def test_benchmark_table_of_4032_certified_rows(benchmark):
    """dim 2..64, degree 1..64 at 30 digits; no timing asserted, the count and the order are."""
    table = benchmark.pedantic(th.critical_table, args=(range(2, 65), range(1, 65), 30), rounds=3)
    assert len(table.rows) == 4032
    for earlier, later in zip(table.rows, table.rows[1:], strict=False):
        assert earlier["dim"] != later["dim"] or float(earlier["beta"]) < float(later["beta"])


def test_benchmark_plain_mpmath_on_63_of_these_rows(benchmark):
    """Baseline for the table above, uncertified, on one row in 64: multiply by 64 for the ratio."""
    pairs = [(1 + (7 * dim) % 64, dim) for dim in range(2, 65)]
    roots = benchmark.pedantic(lambda: [plain_newton(*pair, 30) for pair in pairs], rounds=1)
    with mpmath.workdps(35):
        for (degree, dim), root in zip(pairs, roots, strict=True):
            boundary = th.critical_beta(degree, dim, 30)
            assert (
                abs(mpmath.mpf(boundary.value) - root) <= mpmath.mpf(boundary.error) + abs(root) * mpmath.mpf(10) ** -30
            )


@pytest.mark.parametrize("pair", [(1, 2), (7, 5), (40, 30)])
def test_baseline_finds_the_same_boundary(pair):
    """The benchmark's baseline is worth comparing with: same root, without certificate."""
    boundary = th.critical_beta(*pair, 25)
    with mpmath.workdps(35):
        root = plain_newton(*pair, 30)
        assert abs(mpmath.mpf(boundary.value) - root) <= mpmath.mpf(boundary.error)


def test_tables_say_what_they_hold():
    """The version, and each option of the call by the name and in the words of the command's own tables."""
    version = {"version": gegenflow.__version__}
    plain = {**version, "kernel": "exp(beta*t)", "noise": "0", "digits": 8}
    assert th.critical_table([2], [1], 8).facts == plain
    assert th.growth_table([2], [1], 5, digits=8).facts == {**plain, "model": "usa"}
    held = th.growth_table([2], [1], None, model="sa", kernel="1 + 2*t", noise="0.1", digits=6).facts
    assert held == {**version, "model": "sa", "kernel": "2*t + 1", "noise": "0.1", "digits": 6}
    branch = th.noise.branch(2, amplitudes=[0.2]).table()
    assert branch.facts == {**version, "beta": "2", "degree": 1}
    assert json.loads(th.critical_table([2], [1], 8).to("json"))["version"] == gegenflow.__version__
