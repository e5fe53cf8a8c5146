"""Do error bars cover? The spread of (measured - predicted)/bar over many seeds, for each law on random tokens.

    python tests/support/pulls.py --seeds 100

writes docs/coverage.md. A spread of 1 is an honest bar, less is one that is too wide; the bar of r runs has that of
Student's t, sqrt((r - 1)/(r - 3)), by which it is divided here. The p of a chi-square counts as its normal score.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import norm

from gegenflow.numerics.validation.law import law_named

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
CASES = {
    "uniform tokens": {"dim": 2, "beta": 2, "tokens": 1000, "runs": 24},
    "finite-token selection": {"tokens": 1000, "runs": 100},
    "share of two degrees across a boundary": {"tokens": 1000, "runs": 100},
    "mean-field distance": {"tokens": 500, "runs": 40},
    "angles of emerging clusters": {"tokens": 2000, "runs": 8},
    "fluctuations below the threshold": {"tokens": 300, "runs": 4},
    "distance from the periodic manifold": {"runs": 8},
    "phase curve of random tokens": {"tokens": 8, "runs": 8, "beta": 1},
}
BAR = r"\|"
MORE = {"uniform tokens": 4}  # times the seeds
HEAD = """# Coverage of error bars

The laws on random tokens at the parameters shown, each over many seeds (`tests/support/pulls.py`): mean and spread of
(measured - predicted)/bar, the spread over that of Student's t. An honest bar has spread 1.

| law | check | parameters | seeds | mean | spread |
| --- | --- | --- | --- | --- | --- |
"""


def pull(check):
    """(measured - predicted)/bar, over the spread of Student's t; of a chi-square, the normal score of its p."""
    if check.p_value is not None:
        return float(norm.isf(np.clip(check.p_value, 1e-12, 1 - 1e-12)))
    free = check.freedom
    student = np.sqrt(free / (free - 2)) if np.isfinite(free) and free > 2 else 1.0
    return float(np.copysign(check.off_by, check.measured - check.predicted) / student)


def rows(name, seeds):
    """A line a check of a law."""
    count = seeds * MORE.get(name, 1)
    trials = [law_named(name)(rng=seed, **CASES[name]) for seed in range(count)]
    parameters = ", ".join(f"{key} {value}" for key, value in CASES[name].items())
    for checks in zip(*trials, strict=True):
        title = checks[0].name.replace("|", BAR)
        column = np.array([pull(check) for check in checks])
        spread = f"{column.std(ddof=1):.2f} +- {1 / np.sqrt(2 * count):.2f}"
        yield f"| {name} | {title} | {parameters} | {count} | {column.mean():.2f} | {spread} |\n"


def main():
    """Write the page, and print each line as it comes; with ``--only``, print alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    lines = []
    for name in CASES:
        if options.only in name:
            for line in rows(name, options.seeds):
                lines.append(line)
                print(line, end="", flush=True)
    if not options.only:
        PAGE.write_text(HEAD + "".join(lines))


if __name__ == "__main__":
    main()
