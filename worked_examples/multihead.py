"""Several heads of attention: rates that add up, times, an energy that falls, and where super-additivity fails.

Top left: growth of the degrees about the uniform density under heads of scales 1, -1/2, 1/3, against trials on
densities. Top right: the time in which orthogonal tokens gather under softmax heads, over beta, and the beta at which
they are fastest at once, at two overlaps (Lambert's W). Bottom left: two orthogonal heads; the energy of the first
falls from the rational tokens of the counterexample on, while the total grows. Bottom right: the excess of two heads
over two of their mean scale; by Jensen's inequality it is never negative where both are above -2/beta, and in the
hatched square, where both are below, never positive.

Reference: arXiv 2605.04279 (Pendharkar).

Run: python worked_examples/multihead.py [figure.png]     (20 s)
"""

import sys
from fractions import Fraction
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th

# Parameters
BETA, DIM = 4, 3
TOKENS, OVERLAP, SCALES = 32, "0.9", (1, "0.5")
PAIR, FORMS = [["5/13", "12/13"], ["8/17", "15/17"]], [[[1, 0], [0, 0]], [[0, 0], [0, 3]]]
FIGURE = Path(__file__).with_suffix(".png")


def draw_rates(ax, reports):
    """A panel of trials: predicted and measured rates of the degrees, for each model."""
    for place, (model, report) in enumerate(reports.items()):
        nm.validation.plot_sweep(
            report.checks, np.arange(1, len(report.checks) + 1), ax=ax, label=model, rivals=not place
        )
    ax.set(xlabel="degree", ylabel="growth rate (1/time)", title=f"heads 1, -1/2, 1/3, dim {DIM}, β = {BETA}")
    pictures.legend(ax)


def draw_times(ax, betas):
    """Certified times to an overlap, alone and together, on the clock of the drive; the fastest beta of one head."""
    for scales in (SCALES[:1], SCALES):
        options = {"model": "sa", "digits": 8}
        times = [float(th.multihead.hitting_time(OVERLAP, TOKENS, str(b), scales, **options)) / b for b in betas]
        ax.plot(betas, times, label=f"scales {', '.join(map(str, scales))}")
    for overlap in (0, "0.5"):
        fastest = float(th.multihead.critical_beta_softmax(TOKENS, 1, overlap, 8))
        ax.axvline(fastest, color="k", ls=":", lw=1)
        ax.text(fastest, ax.get_ylim()[1], f" g = {overlap}", va="top", fontsize=7)
    ax.set(yscale="log", xlabel=pictures.BETA, ylabel="time / β", title=f"{TOKENS} softmax tokens to overlap {OVERLAP}")
    pictures.legend(ax)


def draw_energies(ax):
    """The energies of both heads along the run from the counterexample, less their starts."""
    forms = [np.array(form, dtype=float) for form in FORMS]
    flow = nm.Flow(heads=[nm.Head(beta=2, query_key=form, value=form) for form in forms])
    tokens = nm.normalize([[float(Fraction(x)) for x in row] for row in PAIR])
    observe = [nm.Energy(), *(nm.observables.HeadEnergy(head) for head in range(2))]
    run = nm.simulate(tokens, flow, t_end=2e-3, observe=observe, rtol=1e-10)
    for label, values in zip(("total", "head 1", "head 2"), run.observables.values(), strict=True):
        ax.plot(1e3 * run.t, values - values[0], label=label)
    rate = float(th.multihead.energy_rates(PAIR, FORMS, 2).rates[0])
    ax.plot(1e3 * run.t[:20], rate * run.t[:20], "k--", lw=1, label=f"$dE_1/dt$ = {rate:.2f}")
    ax.set(xlabel="1000 x time", ylabel="gain of energy", title="orthogonal heads, β = 2 (total and head 2 coincide)")
    ax.set_yscale("symlog", linthresh=0.01)
    pictures.legend(ax)


def draw_excess(ax, count):
    """Excess of the contraction rate over the plane of two scales, beta 2."""
    scales = np.linspace(-3, 0.5, count)
    one, other = np.meshgrid(scales, scales)
    mean = (one + other) / 2
    excess = 2 * (one * np.exp(2 * one) + other * np.exp(2 * other)) - 4 * mean * np.exp(2 * mean)
    shown = ax.pcolormesh(scales, scales, excess, cmap="RdBu", vmin=-0.15, vmax=0.15, shading="nearest")
    ax.fill_between([-3, -1], -3, -1, hatch="///", facecolor="none", edgecolor="k", lw=0)
    ax.contour(scales, scales, excess, levels=[0], colors="k", linewidths=1)
    point = th.multihead.super_additivity(2, [-3, "-1.2"], digits=4).excess
    ax.plot(-3 + 0.03, -1.2, "k*")
    ax.annotate(f"{point.value}", (-2.9, -1.2), fontsize=7)
    ax.set(xlabel="$m_1$", ylabel="$m_2$", title="excess over the mean scale, β = 2")
    plt.colorbar(shown, ax=ax)


@pictures.style()
def main(quick=False, figure=FIGURE):
    """The four panels; returns the table of what is published and found, and the trials."""
    trials = {
        model: nm.validate("growth under several heads", dim=DIM, beta=BETA, model=model, degree=6)
        for model in ("usa", "sa")
    }
    others = [nm.validate(name) for name in ("equiangular times of several heads", "energy of each head", "entropy")]
    fig, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    draw_rates(axes[0, 0], trials)
    draw_times(axes[0, 1], np.linspace(0.5, 9, 6 if quick else 35).round(2))
    draw_energies(axes[1, 0])
    draw_excess(axes[1, 1], 41 if quick else 201)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    energy = others[1].checks[-2]
    share = others[2].checks[-1]
    excess = th.multihead.super_additivity(2, [-3, "-1.2"], digits=6).excess
    names = "quantity", "published", "predicted", "measured"
    rows = (
        ("dE_1/dt of orthogonal heads", ">= 0", f"{energy.predicted:.4f}", f"{energy.measured:.4f}"),
        ("excess of scales -3, -1.2", ">= 0", excess.value, "-"),
        ("falling entropy, 7 tokens, dim 4", "never", "0.0942", share.verdict),
    )
    table = th.Table(tuple(dict(zip(names, row, strict=True)) for row in rows))
    print(table, *trials.values(), *others, f"figure in {figure}", sep="\n\n")
    return table, [*trials.values(), *others]


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
