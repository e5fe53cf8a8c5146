r"""The critical inverse temperatures in LaTeX, and their expansions against the certified values.

Attention from uniform tokens on S^{d-1} selects the harmonic degree k that grows fastest. Degree k+1 overtakes degree k
at beta_k, the root of I_{nu+1}(beta)/I_nu(beta) = L_k/L_{k+1}, nu = k + d/2 - 1, L_k = k(k+d-2). The first table holds
beta_1 .. beta_5, every digit proved. The second one holds relative errors of what can be computed without a Bessel
function: four terms of the expansion for a large degree, three of that for a large dimension, and half the relative
distance of two rational bounds, which bounds the relative error of their mean.

Reference: Bruno, Pasqualotto, Agazzi, arXiv 2410.23228; roots, expansions and bounds are derived here.

Run: python worked_examples/critical_table.py [file.tex]     (3 s; LaTeX on the screen without a file)
"""

import sys
from pathlib import Path

import sympy as sp

from gegenflow import theory as th

DIMS, DEGREES, DIGITS = (2, 3, 4, 8, 64, 512), (1, 2, 3, 4, 5), 12
PLACES = ((1, 2), (5, 2), (20, 2), (100, 2), (5, 64), (100, 64), (1, 512), (5, 512))

BOUNDARIES = (
    r"Critical inverse temperatures $\beta_k(d)$ at which the harmonics of degree $k+1$ overtake those of degree $k$ "
    r"in growth rate, for tokens that start uniformly on $S^{d-1}$: the roots of "
    r"$I_{\nu+1}(\beta)/I_\nu(\beta) = L_k/L_{k+1}$, $\nu = k + d/2 - 1$, $L_k = k(k+d-2)$. "
    r"Rounded to nearest; every digit is proved by interval arithmetic."
)
EXPANSIONS = (
    r"Relative errors of the expansions of $\beta_k(d)$ for $k \to \infty$ (four terms, "
    r"$\beta_k \sim \frac14(L_k + L_{k+1}) + O(k^{-2})$) and for $d \to \infty$ (three terms, "
    r"$\beta_k \sim \frac{k(k+1)}{2k+1}\,d + O(1)$), and a proved bound on that of the mean of the two rational bounds."
)


def boundaries():
    """One row for each dimension, one column for each degree."""
    return th.critical_table(DIMS, DEGREES, DIGITS).wide("beta")


def expansions():
    """Relative errors of both expansions and of the mean of the bounds, at each of the PLACES."""
    series = {
        r"$k \to \infty$": th.phases.critical_beta_series(4),
        r"$d \to \infty$": th.phases.critical_beta_series(3, "dim"),
    }
    rows = []
    for degree, dim in PLACES:
        exact = sp.Rational(th.critical_beta(degree, dim, 40).value)
        row = {"degree": degree, "dim": dim}
        for name, expansion in series.items():
            row[name] = f"{float(expansion.subs({th.k: degree, th.d: dim}) / exact - 1):.1e}"
        lower, upper = th.phases.critical_beta_sharp_bounds(degree, dim)
        row["bounds"] = f"{float((upper - lower) / (2 * lower)):.1e}"
        rows.append(row)
    return th.Table(tuple(rows))


def main(file=None):
    """Write the LaTeX to the file or print it; returns the two tables."""
    tables = boundaries(), expansions()
    told = tables[0].to("latex", caption=BOUNDARIES, label="tab:boundaries")
    latex = f"{told}\n\n{tables[1].to('latex', caption=EXPANSIONS, label='tab:expansions')}\n"
    if file is None:
        print(latex, end="")
    else:
        Path(file).write_text(latex)
    return tables


if __name__ == "__main__":
    main(*sys.argv[1:2])
