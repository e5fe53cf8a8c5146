"""The worked examples run, and their tables say what the papers and the theory say."""

import importlib.util
from pathlib import Path

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
