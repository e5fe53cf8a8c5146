"""Do error bars cover? The spread of (measured - predicted)/bar over many seeds, for each law on random tokens.

    python tests/support/pulls.py --seeds 100

A spread of 1 is an honest bar (for r runs, that of Student's t: sqrt((r-1)/(r-3))), less a bar that is too wide.
"""

import argparse

import numpy as np

from gegenflow.numerics.validation.law import law_named

CASES = {
    "uniform tokens": {"dim": 2, "beta": 2, "tokens": 1000, "runs": 24},
    "finite-token selection": {"tokens": 1000, "runs": 50},
    "share of two degrees across a boundary": {"tokens": 1000, "runs": 50},
    "mean-field distance": {"tokens": 500, "runs": 40},
    "angles of emerging clusters": {"tokens": 2000, "runs": 8},
    "fluctuations below the threshold": {"tokens": 300, "runs": 4},
    "distance from the periodic manifold": {"runs": 4},
    "phase curve of random tokens": {"tokens": 8, "runs": 6, "beta": 1},
}


def pull(check):
    """(measured - predicted)/bar; of a chi-square, how far it is off its mean in its spread."""
    return np.copysign(check.off_by, check.measured - check.predicted)


def main():
    """Print a line a check: mean and spread of its pulls, and what Student's t would have."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    for name in CASES:
        if options.only in name:
            trials = [law_named(name)(rng=seed, **CASES[name]) for seed in range(options.seeds)]
            for check, *others in zip(*trials, strict=True):
                column = np.array([pull(one) for one in (check, *others)])
                free = check.freedom
                student = np.sqrt(free / (free - 2)) if np.isfinite(free) and free > 2 else 1.0
                print(
                    f"{name}, {check.name}: mean {column.mean():.2f}, spread {column.std():.2f} of {student:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
