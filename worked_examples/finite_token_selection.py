"""Finite-token selection: which degree emerges first is a matter of chance, and the chances follow a law.

N independent uniform tokens hold every degree k by chance, N D_k A_k(0)^2 ~ chi^2(D_k), and each amplitude grows as
A_k(t) = A_k(0) exp(gamma_k t). The first degree to reach A_k = a is selected, with probability
P(k) = int f_k(t) prod_{j != k} P(T_j > t) dt. Near a boundary beta_k of the phase diagram degrees k and k+1 share the
runs, and the transition narrows only like 1/log N.

Predicted and simulated: the selected degree and the emergence time over many runs on the circle at beta = 5, N = 2000,
a = 0.1. The law is that of the linear theory: at a = 0.3 the times come out some percent longer, since growth has begun
to saturate, and its trial says so; the recorded study (finite_token_selection.csv) shows both over dim, beta and N.

Reference: the growth rates are those of Bruno, Pasqualotto, Agazzi, arXiv 2410.23228; the law is derived in
gegenflow.theory.finite_tokens.selection.

Run: python worked_examples/finite_token_selection.py [figure.png]     (30 s on one core, longer the first time)
     python worked_examples/finite_token_selection.py --study          (writes the csv; 20 minutes on two cores)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th

# Parameters: (dim, beta, tokens, amplitude)
HEADLINE = (2, 5, 2000, 0.1)
STUDY = (
    *((2, beta, tokens, 0.3) for beta in (5, 6.2113, 7) for tokens in (500, 2000, 20_000)),
    *((3, beta, 1000, 0.3) for beta in (3, 6)),
    *((2, 5, 2000, 0.1), (2, 5, 20_000, 0.1), (3, 6, 1000, 0.1)),
)
RUNS = 400
BOUNDARY, SIZES = 3, (2000, 10**12)
FIGURE = Path(__file__).with_suffix(".png")
RECORD = Path(__file__).with_suffix(".csv")


def on_trial(case, runs):
    """The law at these parameters."""
    dim, beta, tokens, amplitude = case
    options = {"dim": dim, "beta": str(beta), "tokens": tokens, "amplitude": amplitude}
    return nm.validate("finite-token selection", runs=runs, rng=1, **options)


def draw(axes, law, runs):
    """Selected degrees, emergence times, and the transition between two degrees as beta crosses their boundary."""
    dim, beta, tokens, amplitude = HEADLINE
    options = {"tokens": tokens, "runs": runs, "amplitude": amplitude, "t_end": 2 * law.quantile(0.999)}
    first, times = nm.runs.emergences(dim, beta=float(beta), max_degree=8, rtol=1e-5, rng=1, **options)
    nm.validation.plot_selection(law, first, ax=axes[0])

    grid = np.linspace(0, law.quantile(0.999) * 1.15, 200)
    axes[1].plot(grid, [1 - law.survival(t) for t in grid], "C0", label="law")
    axes[1].step(np.sort(times), (np.arange(len(times)) + 1) / len(times), "C1--", where="post", label="runs")
    axes[1].set(xlabel="time t", ylabel="probability of emergence by t", xlim=(grid[0], grid[-1]), ylim=(0, 1))
    axes[1].set_title("emergence time")
    pictures.legend(axes[1])

    centre = float(th.critical_beta(BOUNDARY, 2))
    betas = np.linspace(centre - 1.6, centre + 1.6, 17)
    for color, marker, line, tokens in zip(("C2", "C3"), "os", ("-", "--"), SIZES, strict=True):
        laws = [th.finite_tokens.selection_law(2, beta, tokens).selection for beta in betas]
        shares = [law[BOUNDARY + 1] / (law[BOUNDARY] + law[BOUNDARY + 1]) for law in laws]
        width = th.finite_tokens.boundary_width(BOUNDARY, 2, tokens)
        axes[2].plot(betas, shares, marker, color=color, mfc="none", label=f"law, N = {tokens:.0e}")
        formula = [th.finite_tokens.boundary_share(beta, BOUNDARY, 2, tokens) for beta in betas]
        axes[2].plot(betas, formula, line, color=color, label=f"formula, width {width:.2f}")
    axes[2].axvline(centre, color="k", ls=":", lw=1)
    axes[2].set(xlabel=pictures.BETA, ylabel=f"share of degree {BOUNDARY + 1} against {BOUNDARY}", ylim=(0, 1))
    axes[2].set(xlim=(betas[0], betas[-1]), title=f"transition at β = {centre:.4f}")
    pictures.legend(axes[2])


@pictures.style()
def main(quick=False, figure=FIGURE):
    """Put the headline case on trial and draw it; returns the report."""
    dim, beta, tokens, amplitude = HEADLINE
    law, runs = th.finite_tokens.selection_law(dim, beta, tokens, amplitude=amplitude), 100 if quick else RUNS
    report = on_trial(HEADLINE, runs)
    fig, axes = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    draw(axes, law, runs)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    print(report, f"figure in {figure}", sep="\n\n")
    return report


def study(record=RECORD):
    """Put every case on trial and write the checks as csv."""
    rows = []
    for case in STUDY:
        report, names = on_trial(case, RUNS), ("dim", "beta", "tokens", "amplitude")
        rows += [dict(zip(names, case, strict=True)) | {"runs": RUNS} | row for row in report.to_rows()]
        record.write_text(th.Table(tuple(rows)).to("csv") + "\n")
        print(case, report, sep="\n", flush=True)


if __name__ == "__main__":
    if "--study" in sys.argv[1:]:
        study()
    else:
        main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
