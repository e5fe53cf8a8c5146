"""Finite-token selection: which degree emerges first is a matter of chance, and the chances follow a law.

N independent uniform tokens hold every degree k by chance, N D_k A_k(0)^2 ~ chi^2(D_k), and each amplitude grows as
A_k(t) = A_k(0) exp(gamma_k t). The first degree to reach A_k = a is selected, with probability
P(k) = int f_k(t) prod_{j != k} P(T_j > t) dt. Near a boundary beta_k of the phase diagram degrees k and k+1 share the
runs, and the transition narrows only like 1/log N.

Predicted and simulated: the selected degree and the emergence time over many runs on the circle at beta = 5, N = 2000,
a = 0.3. The law is that of the linear theory. At a = 0.3 the simulated times come out some percent longer, since
growth has begun to saturate; the difference shrinks with a, as the recorded study (finite_token_selection.csv) shows
over dim, beta, N and a: "p of the degrees" is that of a chi-square test, "p of the times" that of Kolmogorov-Smirnov.

Reference: the growth rates are those of Bruno, Pasqualotto, Agazzi, arXiv 2410.23228; the law is derived in
gegenflow.theory.finite_tokens.selection.

Run: python worked_examples/finite_token_selection.py [figure.png]     (30 s on one core, longer the first time)
     python worked_examples/finite_token_selection.py --study          (writes the csv; 20 minutes on two cores)
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import matplotlib.pyplot as plt
import numba
import numpy as np
from scipy.stats import chisquare, kstest

from gegenflow import numerics as nm
from gegenflow import theory as th

# Parameters: (dim, beta, tokens, amplitude)
HEADLINE = (2, 5, 2000, 0.3)
STUDY = (
    *((2, beta, tokens, 0.3) for beta in (5, 6.2113, 7) for tokens in (500, 2000, 20_000)),
    *((3, beta, 1000, 0.3) for beta in (3, 6)),
    *((2, 5, 2000, 0.1), (2, 5, 20_000, 0.1), (3, 6, 1000, 0.1)),
)
RUNS = 400
BOUNDARY, SIZES = 3, (2000, 10**12)
QUANTILES = (0.1, 0.5, 0.9)
FIGURE = Path(__file__).with_suffix(".png")
RECORD = Path(__file__).with_suffix(".csv")


def simulate(case, law, runs, executor=None):
    """Selected degrees and emergence times of many runs, long enough for all of them."""
    dim, beta, tokens, amplitude = case
    options = {
        "amplitude": amplitude,
        "max_degree": th.selected_degree(beta, dim) + 5,
        "t_end": 2 * law.quantile(0.999),
    }
    return nm.runs.emergences(
        dim, beta=float(beta), tokens=tokens, runs=runs, rtol=1e-5, rng=1, executor=executor, **options
    )


def comparison(case, law, degrees, times):
    """Table rows of what the law says and the runs show, with standard errors."""
    runs, rows = len(degrees), []

    def add(quantity, predicted, simulated, error=""):
        numbers = (f"{x:.4g}" if x != "" else "" for x in (predicted, simulated, error))
        labels = (*case, runs, quantity, *numbers)
        names = ("dim", "beta", "tokens", "amplitude", "runs", "quantity", "law", "simulated", "standard error")
        rows.append(dict(zip(names, labels, strict=True)))

    likely = [k for k, chance in law.selection.items() if chance * runs >= 5]
    for k in range(min(*likely, *degrees), max(*likely, *degrees) + 1):
        chance = law.selection.get(k, 0.0)
        chance = chance if chance > law.error else 0.0
        add(f"degree {k}", chance, (degrees == k).mean(), (chance * (1 - chance) / runs) ** 0.5)
    add("p of the degrees", "", chi_square(law, likely, degrees))
    emerged = times[np.isfinite(times)]
    add("mean time", law.mean, emerged.mean(), emerged.std(ddof=1) / len(emerged) ** 0.5)
    for p in QUANTILES:
        time, half = law.quantile(p), (p * (1 - p) / runs) ** 0.5
        spread = (law.quantile(p + half) - law.quantile(p - half)) / 2
        add(f"{p:.0%} emerged by", time, np.quantile(emerged, p), spread)
    add("p of the times", "", kstest(emerged, lambda t: 1 - np.vectorize(law.survival)(t)).pvalue)
    return rows


def chi_square(law, likely, degrees):
    """p value of the selected degrees, rare ones counted with their likely neighbour."""
    low, high = min(likely), max(likely)
    if low == high:
        return 1.0
    expected = np.zeros(high - low + 1)
    for k, chance in law.selection.items():
        expected[min(max(k, low), high) - low] += chance * len(degrees)
    counts = np.bincount(np.clip(degrees, low, high) - low, minlength=len(expected))
    return chisquare(counts, expected * counts.sum() / expected.sum()).pvalue


def draw(axes, law, rows, times):
    """Selected degrees, emergence times, and the transition between two degrees as beta crosses their boundary."""
    chances = [row for row in rows if row["quantity"].startswith("degree")]
    degrees = np.array([int(row["quantity"].split()[1]) for row in chances])
    predicted, simulated, bars = (
        np.array([float(row[name]) for row in chances]) for name in ("law", "simulated", "standard error")
    )
    axes[0].bar(degrees - 0.2, predicted, 0.4, color="C0", alpha=0.6, label="law")
    axes[0].bar(degrees + 0.2, simulated, 0.4, color="C1", alpha=0.6, label=f"{len(times)} runs, 2 standard errors")
    axes[0].errorbar(degrees + 0.2, simulated, 2 * bars, fmt="none", ecolor="k", capsize=3)
    axes[0].set(xlabel="degree that emerges first", ylabel="probability", xticks=degrees, ylim=0)
    axes[0].set_title("dim {}, beta = {}, N = {}, a = {}".format(*HEADLINE))
    axes[0].legend()

    grid = np.linspace(0, law.quantile(0.999) * 1.15, 200)
    axes[1].plot(grid, [1 - law.survival(t) for t in grid], "C0", label="law")
    axes[1].step(np.sort(times), (np.arange(len(times)) + 1) / len(times), "C1", where="post", label="runs")
    axes[1].set(xlabel="time t", ylabel="probability of emergence by t", xlim=(grid[0], grid[-1]), ylim=(0, 1))
    axes[1].set_title("emergence time")
    axes[1].legend(loc="lower right")

    centre = float(th.critical_beta(BOUNDARY, 2))
    betas = np.linspace(centre - 1.6, centre + 1.6, 17)
    for color, tokens in zip(("C2", "C3"), SIZES, strict=True):
        laws = [th.finite_tokens.selection_law(2, beta, tokens).selection for beta in betas]
        shares = [law[BOUNDARY + 1] / (law[BOUNDARY] + law[BOUNDARY + 1]) for law in laws]
        width = th.finite_tokens.boundary_width(BOUNDARY, 2, tokens)
        axes[2].plot(betas, shares, "o", color=color, mfc="none", label=f"law, N = {tokens:.0e}")
        formula = [th.finite_tokens.boundary_share(beta, BOUNDARY, 2, tokens) for beta in betas]
        axes[2].plot(betas, formula, color=color, label=f"formula, width {width:.2f}")
    axes[2].axvline(centre, color="k", ls=":", lw=1)
    axes[2].set(xlabel="beta", ylabel=f"share of degree {BOUNDARY + 1} against {BOUNDARY}", ylim=(0, 1))
    axes[2].set(xlim=(betas[0], betas[-1]), title=f"transition at beta = {centre:.4f}")
    axes[2].legend(loc="upper left", fontsize=8)


def main(quick=False, figure=FIGURE):
    """Run the headline case, print its table, draw the figure; returns the table."""
    law = th.finite_tokens.selection_law(HEADLINE[0], HEADLINE[1], HEADLINE[2], amplitude=HEADLINE[3])
    degrees, times = simulate(HEADLINE, law, 60 if quick else RUNS)
    rows = comparison(HEADLINE, law, degrees, times)
    fig, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    draw(axes, law, rows, times)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    table = th.Table(tuple(rows))
    print(table, f"figure in {figure}", sep="\n\n")
    return table


def study(record=RECORD):
    """Run every case on two processes of one thread each, print the table and write it as csv."""
    rows, one_thread = [], {"initializer": numba.set_num_threads, "initargs": (1,)}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), **one_thread) as executor:
        for case in STUDY:
            dim, beta, tokens, amplitude = case
            law = th.finite_tokens.selection_law(dim, beta, tokens, amplitude=amplitude)
            rows += comparison(case, law, *simulate(case, law, RUNS, executor))
            record.write_text(th.Table(tuple(rows)).to("csv") + "\n")
            print(case, flush=True)
    print(th.Table(tuple(rows)), f"table in {record}", sep="\n\n")


if __name__ == "__main__":
    if "--study" in sys.argv[1:]:
        study()
    else:
        main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
