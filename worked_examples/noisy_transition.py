"""Noisy tokens on the circle order themselves: gradually at beta = 2, with a jump and hysteresis at beta = 4.

Tokens follow d theta_i = -(1/N) sum_j exp(beta cos(theta_i - theta_j)) sin(theta_i - theta_j) dt + sqrt(2/kappa) dB_i.
Their density (uniform = 1) is stationary if q = exp(kappa W*q)/Z, W = exp(beta cos)/beta, and minimises
int q log q - K iint W q q with K = kappa/2. The uniform state is unstable beyond K_# = beta/(2 I_1(beta)). Up to the
tricritical beta_* = 2.4469 an ordered state grows from it there; above, the branch leaves backwards (unstable, dashed),
turns at a fold, and has the lower free energy from K_c < K_# on: between the fold and K_# both states are stable.

The simulation is a plain loop: forces by FFT of the kernel on bins, and Euler steps whose noise is the mean of two
successive draws (Leimkuhler and Matthews), which makes the stationary state second order in the step. Started from the
uniform and from an ordered state it shows the hysteresis. Close to K_# the 2000 tokens fluctuate visibly; the points
there lie a few hundredths off the branch of infinitely many.

Reference: arXiv 2606.05140 and 2604.16288 (Mun, Rosenzweig).

Run: python worked_examples/noisy_transition.py [figure.png]     (60 s)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import theory as th

# Parameters: beta, the transition as published, and (K/K_#, whether the start is ordered) of the simulations
STATES = (
    (2, "continuous", ((0.9, False), (1.08, True), (1.15, True), (1.3, True))),
    (4, "discontinuous", ((0.87, True), (0.955, False), (0.965, True), (1.0, True), (1.15, False), (1.15, True))),
)
TOKENS, RUNS, BINS = 2000, 6, 512
AMPLITUDES = np.arange(1, 97) / 100
FIGURE = Path(__file__).with_suffix(".png")


def simulate(beta, kappa, start, t_end, step, rng):
    """Mean of |mean exp(i theta)| over the second half of each run, forces on bins by FFT; start is [runs, tokens]."""
    angle = 2 * np.pi * np.arange(BINS) / BINS
    kernel = np.fft.rfft(-np.exp(beta * np.cos(angle)) * np.sin(angle) / start.shape[1])
    theta, rows, record = start.copy(), np.arange(len(start))[:, None], []
    before = rng.standard_normal(theta.shape)
    for n in range(round(t_end / step)):
        bins = np.rint(theta * (BINS / (2 * np.pi))).astype(int) % BINS
        counts = np.bincount((bins + rows * BINS).ravel(), minlength=len(start) * BINS).reshape(-1, BINS)
        modes = np.fft.rfft(counts)
        if n * step >= t_end / 2:
            record.append(abs(modes[:, 1]) / start.shape[1])
        drift = np.fft.irfft(modes * kernel, BINS)[rows, bins]
        after = rng.standard_normal(theta.shape)
        theta += step * drift + np.sqrt(step / (2 * kappa)) * (before + after)
        before = after
    return np.mean(record, axis=0)


def measured(beta, kappa, ordered, runs, rng):
    """Order parameter and its error bar from independent runs; kappa is the time in which noise alone damps mode 1."""
    shape = (runs, TOKENS)
    start = 0.6 * rng.standard_normal(shape) if ordered else rng.uniform(0, 2 * np.pi, shape)
    values = simulate(beta, kappa, start, 80 * kappa, kappa / 100, rng)
    return values.mean(), values.std(ddof=1) / np.sqrt(runs)


def predicted(states, ratio, threshold, ordered):
    """The stable branch at K = ratio K_#; where there is none, the fluctuations of N tokens about the uniform state.

    There the mode 1 is a complex Gaussian with E |a_1|^2 = 1/(N (1 - K/K_#)).
    """
    stable = [(k, a) for k, a, n in zip(states.coupling, states.amplitude, states.unstable, strict=True) if n == 0]
    on_branch = ratio * threshold > stable[0][0] and (ordered or ratio > 1)
    return np.interp(ratio * threshold, *zip(*stable, strict=True)) if on_branch else fluctuation(ratio)


def fluctuation(ratio):
    """Mean of |a_1| of N tokens in the uniform state."""
    return np.sqrt(np.pi / 4 / (TOKENS * (1 - ratio)))


def draw(beta, axes, states, change, points):
    """One row of the figure: the order parameter with the simulated points, and the free energy along the branch."""
    threshold = float(change.threshold)
    ratio, stable = np.array(states.coupling) / threshold, np.array(states.unstable) == 0
    for ax, column in zip(axes, (states.amplitude, states.free_energy), strict=True):
        column = np.insert(column, 0, 0.0)
        branch_ratio, turn = np.insert(ratio, 0, 1.0), int(np.argmin(np.insert(ratio, 0, 1.0)))
        ax.plot(branch_ratio[turn:], column[turn:], "C0-", label="ordered, stable")
        if not stable.all():
            ax.plot(branch_ratio[: turn + 1], column[: turn + 1], "C0--", label="ordered, unstable")
            for name, at, style in (("fold", change.fold, ":"), ("K_c", change.coexistence, "-.")):
                ax.axvline(float(at.coupling) / threshold, color="0.5", ls=style, lw=1, label=name)
        ax.plot([0.85, 1], [0, 0], "C3-", label="uniform, stable")
        ax.plot([1, 1.4], [0, 0], "C3--", label="uniform, unstable")
        ax.set(xlim=(0.85, 1.4), xlabel="K / K_#", title=f"beta = {beta}: {kind(change)}")
    for ordered, style in ((True, "ko"), (False, "k^")):
        chosen = np.reshape([(r, m, 3 * e) for r, o, m, e in points if o == ordered], (-1, 3))
        label = f"simulated, {'ordered' if ordered else 'uniform'} start, 3 bars"
        axes[0].errorbar(*chosen.T, fmt=style, mfc="none", capsize=3, label=label)
    axes[0].set(ylabel="order parameter |a_1|", ylim=(-0.04, 1))
    low, high = (-0.01, 0.01) if change.fold else (-0.03, 0.01)
    axes[1].set(ylabel="F - F(uniform)", ylim=(low, high), xlim=(0.9, 1.1))
    axes[0].legend(fontsize=7)


def kind(change):
    """What the transition is called."""
    return "discontinuous" if change.fold else "continuous"


def main(quick=False, figure=FIGURE):
    """Branches, transitions and simulations at both temperatures; returns the two tables that it prints."""
    fig, axes = plt.subplots(len(STATES), 2, figsize=(10, 7.5), layout="constrained")
    rng, transitions, orders = np.random.default_rng(0), [], []
    for (beta, published, starts), row in zip(STATES, axes, strict=True):
        change, states, points = th.noise.phase_transition(beta), th.noise.branch(beta, amplitudes=AMPLITUDES), []
        threshold = float(change.threshold)
        fold = f"{float(change.fold.coupling) / threshold:.5f}" if change.fold else "-"
        transitions.append(
            {
                "beta": beta,
                "predicted": kind(change),
                "published": published,
                "K_#": f"{threshold:.6f}",
                "fold/K_#": fold,
                "K_c/K_#": f"{float(change.coupling) / threshold:.5f}",
            }
        )
        for ratio, ordered in starts[:: 3 if quick else 1]:
            value, error = measured(beta, 2 * ratio * threshold, ordered, 4 if quick else RUNS, rng)
            points.append((ratio, ordered, value, error))
            orders.append(
                {
                    "beta": beta,
                    "K/K_#": ratio,
                    "start": "ordered" if ordered else "uniform",
                    "predicted": f"{predicted(states, ratio, threshold, ordered):.4f}",
                    "measured": f"{value:.4f}",
                    "error bar": f"{error:.4f}",
                }
            )
        draw(beta, row, states, change, points)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    tables = th.Table(tuple(transitions)), th.Table(tuple(orders))
    print(f"tricritical beta {th.noise.tricritical_beta(2)}", *tables, f"figure in {figure}", sep="\n\n")
    return tables


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
