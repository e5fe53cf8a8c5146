"""Noisy tokens on the circle order themselves: gradually at beta = 2, with a jump and hysteresis at beta = 4.

Tokens follow d theta_i = -(1/N) sum_j exp(beta cos(theta_i - theta_j)) sin(theta_i - theta_j) dt + sqrt(2/kappa) dB_i.
Their density (uniform = 1) is stationary if q = exp(kappa W*q)/Z, W = exp(beta cos)/beta, and minimises
int q log q - K iint W q q with K = kappa/2. The uniform state is unstable beyond K_# = beta/(2 I_1(beta)). Up to the
tricritical beta_* = 2.4469 an ordered state grows from it there; above, the branch leaves backwards (unstable, dashed),
turns at a fold, and has the lower free energy from K_c < K_# on: between the fold and K_# both states are stable.

Tokens from the uniform and from an ordered state show the hysteresis: both laws are tried by a plain loop of forces on
bins. Close to K_# the tokens fluctuate visibly, as the law of their fluctuations says.

Reference: arXiv 2606.05140 and 2604.16288 (Mun, Rosenzweig).

Run: python worked_examples/noisy_transition.py [figure.png]     (60 s)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th

# Parameters: beta, the transition as published, amplitudes on the stable branch, kappa over its threshold without order
STATES = ((2, "continuous", [0.7, 0.8, 0.85], (0.9, 2000)), (4, "discontinuous", [0.8, 0.87, 0.92], (0.95, 4000)))
TOKENS, RUNS = 2000, 24
AMPLITUDES = np.arange(1, 97) / 100
FIGURE = Path(__file__).with_suffix(".png")


def draw(beta, axes, states, change, points, ratio_without):
    """One row of the figure: the order parameter with the trials, and the free energy along the branch."""
    threshold = float(change.threshold)
    ratio, stable = np.array(states.coupling) / threshold, np.array(states.unstable) == 0
    for ax, column in zip(axes, (states.amplitude, states.free_energy), strict=True):
        column = np.insert(column, 0, 0.0)
        branch_ratio, turn = np.insert(ratio, 0, 1.0), int(np.argmin(np.insert(ratio, 0, 1.0)))
        ax.plot(branch_ratio[turn:], column[turn:], "C0-", lw=2, label="ordered, stable")
        if not stable.all():
            ax.plot(branch_ratio[: turn + 1], column[: turn + 1], "C0--", label="ordered, unstable")
            for name, at, style in (("fold", change.fold, ":"), ("K_c", change.coexistence, "-.")):
                ax.axvline(float(at.coupling) / threshold, color="0.5", ls=style, lw=1, label=name)
        ax.plot([0.85, 1], [0, 0], "k-", lw=2, label="uniform, stable")
        ax.plot([1, 1.4], [0, 0], "k--", label="uniform, unstable")
        ax.set(xlim=(0.85, 1.4), xlabel="K / K_#", title=f"β = {beta}: {kind(change)}")
    on_branch, without = points
    kappas = th.noise.branch(beta, amplitudes=[check.predicted for check in on_branch.checks]).kappa
    places = np.array(kappas) / 2 / threshold
    nm.validation.plot_sweep(on_branch.checks, places, ax=axes[0], label="on the branch, 3 bars", rivals=False)
    (level,) = without.checks
    axes[0].plot([ratio_without - 0.04, ratio_without + 0.04], [level.predicted] * 2, "C1-", label="finite N, the law")
    nm.validation.plot_sweep(without.checks, [ratio_without], ax=axes[0], label="without order", fmt="^", rivals=False)
    axes[0].set(ylabel="order parameter |a_1|", ylim=(-0.04, 1))
    low, high = (-0.01, 0.01) if change.fold else (-0.03, 0.01)
    axes[1].set(ylabel="F - F(uniform)", ylim=(low, high), xlim=(0.9, 1.1))
    pictures.legend(axes[0])


def kind(change):
    """What the transition is called."""
    return "discontinuous" if change.fold else "continuous"


@pictures.style()
def main(quick=False, figure=FIGURE):
    """Branches, transitions and trials at both temperatures; returns the table of transitions and the trials."""
    fig, axes = plt.subplots(len(STATES), 2, figsize=(10, 7.5), layout="constrained")
    transitions, trials = [], []
    for (beta, published, amplitudes, without), row in zip(STATES, axes, strict=True):
        change, states = th.noise.phase_transition(beta), th.noise.branch(beta, amplitudes=AMPLITUDES)
        chosen, (ratio, many) = (amplitudes[-1:], (0.8, TOKENS // 2)) if quick else (amplitudes, without)
        points = [
            nm.validate("noisy tokens on the stable branch", beta=beta, amplitude=chosen, runs=RUNS // 2),
            nm.validate("noisy tokens without order", beta=beta, ratio=ratio, tokens=many, runs=RUNS),
        ]
        fold = f"{float(change.fold.coupling) / float(change.threshold):.5f}" if change.fold else "-"
        facts = {"beta": beta, "predicted": kind(change), "published": published}
        facts |= {
            "K_#": f"{float(change.threshold):.6f}",
            "fold/K_#": fold,
            "K_c/K_#": f"{float(change.coupling) / float(change.threshold):.5f}",
        }
        transitions.append(facts)
        trials += points
        draw(beta, row, states, change, points, ratio)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    table = th.Table(tuple(transitions))
    print(f"tricritical beta {th.noise.tricritical_beta(2)}", table, *trials, f"figure in {figure}", sep="\n\n")
    return table, trials


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
