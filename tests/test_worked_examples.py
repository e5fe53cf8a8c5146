"""The worked examples run, and their tables say what the papers and the theory say."""

import importlib.util
from pathlib import Path

from scipy.special import iv

EXAMPLES = Path(__file__).parents[1] / "worked_examples"


def load_example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_metastable_clustering_confirms_rates_and_angles(tmp_path):
    """Measured rates within five standard errors (chance of failing: below 1 % for 11 rates from 8 runs, Student's t),
    clusters within a fifth of their spacing; three at beta = 5 and four at beta = 7, as the paper reports."""
    rates, angles = load_example("metastable_clustering").main(quick=True, figure=tmp_path / "figure.png")
    assert len(rates.rows) == 11
    for row in rates.rows:
        assert abs(float(row["predicted"]) - float(row["measured"])) < 5 * float(row["error bar"])
    for beta, count in ((5, 3), (7, 4)):
        offsets = [float(row["measured"]) - float(row["cluster near"]) for row in angles.rows if row["beta"] == beta]
        assert len(offsets) == count
        assert max(map(abs, offsets)) < 0.2 * 2 * 3.1416 / count
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_noisy_transition_confirms_the_branches_and_the_published_order(tmp_path):
    """Simulated order parameters within five error bars of 4 runs (3 degrees of freedom, 4 points: a false alarm in
    6 % of seeds, none here as the seed is fixed); bars of at most 0.02 tell the ordered states from the uniform one.
    K_# by SciPy, and K_c/K_# = .95515 at beta = 4 as computed before this package existed."""
    transitions, orders = load_example("noisy_transition").main(quick=True, figure=tmp_path / "figure.png")
    assert [(row["beta"], row["predicted"]) for row in transitions.rows] == [(2, "continuous"), (4, "discontinuous")]
    smooth, jump = transitions.rows
    for row in (smooth, jump):
        assert row["predicted"] == row["published"]
        assert row["K_#"] == f"{row['beta'] / 2 / iv(1, row['beta']):.6f}"
    assert (smooth["fold/K_#"], smooth["K_c/K_#"]) == ("-", "1.00000")
    assert float(jump["fold/K_#"]) < float(jump["K_c/K_#"]) == 0.95515
    assert len(orders.rows) == 4
    for row in orders.rows:
        predicted, measured, bar = (float(row[name]) for name in ("predicted", "measured", "error bar"))
        assert abs(predicted - measured) < 5 * bar
        assert bar < 0.02
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_critical_table_in_latex_holds_the_certified_digits(capsys):
    """Digits computed before this package existed, in two complete environments; errors small where they must be."""
    boundaries, expansions = load_example("critical_table").main()
    latex = capsys.readouterr().out
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 2
    assert "$512$ & $341.288428977$ & $615.340924212$ & $880.642426275$ & $1143.69660404$ & $1406.27560909$" in latex
    assert [(row["dim"], row["beta_3"]) for row in boundaries.rows[:2]] == [(2, "6.21129837943"), (3, "7.96237985155")]
    worst = {(row["degree"], row["dim"]): row for row in expansions.rows}
    assert abs(float(worst[100, 2]["large degree"])) < 1e-15
    assert abs(float(worst[1, 512]["large dim"])) < 1e-8
    assert all(float(row["bounds"]) < 0.01 for row in expansions.rows)
