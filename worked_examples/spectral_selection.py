"""Which eigenvector a symmetric value matrix selects: stable signs, their critical beta, cones, mixed states.

Tokens follow x_i' = P sum_j softmax_j(beta <x_i, V x_j>) V x_j, V symmetric. In a pure mode all rest on one axis,
x_i = s_i e_p. Four comparisons, theory against simulation:

1. Phase diagram: six tokens on the axis of eigenvalue 1, the other eigenvalue mu. Each size of the smaller group is
   stable above one critical beta, in closed form; it is measured as the root of the leading rate by differences of
   the field. The criterion as reported asks a single opposite token for beta > log(5)/2, which it does not need.
2. Cone: tokens on one side of the dominant axis meet there; tan of the largest angle falls at least as exp(-g t),
   g = lambda_1 - max |lambda_k|, at every beta.
3. Beyond pure modes: V = diag(-1, -1/2), three tokens on the circle. Below beta = log(2)/2 no pure mode is stable and
   tokens rest in a triangle, certified: its apex lies on the second axis below beta = 0.31, on the first above. Two
   against one are stable above log(2)/2 = 0.3466, but the triangle lasts to a fold at 0.3541: between, both attract.
   V = diag(1, -3/2) at beta = 2 has a mixed state that attracts beside the pure ones.
4. Signs that remain for V < 0: uniform tokens split on the lowest eigenvector. Two make an antipodal pair; more choose
   among all splits whose ratio is below e^{2 beta}, even ones more often than chance. No law of the shares is known.

Reference: arXiv 2604.26085 (Kuehn, Yoon), its criterion as reported; critical betas, cones, mixed states: derived here.

Run: python worked_examples/spectral_selection.py [figure.png]     (70 s)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th
from gegenflow.numerics.systems.spectral_selection import in_a_cone, selection_flow, state_rates
from gegenflow.numerics.validation.trials.systems.spectral_selection import smaller_groups
from gegenflow.theory.spectral_selection import consensus_rate, critical_beta, equilibrium, stability

# Parameters
TOKENS = 6
MUS = np.linspace(-0.8, 0.95, 36)
TRIED = (-0.5, 0.2, 0.7)
TURN = np.log(2) / 2
TRIANGLES = {"second": [[0, 1], [0.9, -0.4], [-0.9, -0.4]], "first": [[-1, 0], [0.6, 0.8], [0.6, -0.8]]}
BESIDE = [[1, 0], [0.1, 1], [0.1, -1]]
LOWEST = np.array([-1.0, -0.5, -0.25])
BETAS = (0.5, 1.0, 2.0, 4.0)
HATCHES = "", "//", "..", "xx", "--"
FIGURE = Path(__file__).with_suffix(".png")


def signs(smaller, tokens=TOKENS):
    """Signs with so many tokens in the smaller group."""
    return [-1] * smaller + [1] * (tokens - smaller)


def simulated_threshold(smaller, mu, near):
    """The beta at which the leading rate of the pure mode changes sign, by differences of the field."""
    tokens = np.column_stack([signs(smaller), np.zeros(TOKENS)])
    return brentq(lambda b: state_rates(tokens, selection_flow(np.diag([1.0, mu]), b))[0], 0.6 * near, 1.6 * near)


def resting_state(eigenvalues, beta, start, t_end):
    """Where simulated tokens come to rest."""
    flow = selection_flow(np.diag(eigenvalues), beta)
    return nm.simulate(nm.normalize(start), flow, t_end=t_end, save_at=[]).tokens


def selected_shares(tokens, beta, runs):
    """Share of runs by tokens in the smaller group on the lowest axis, and of runs that do not gather there, last."""
    rng = np.random.default_rng([tokens, int(10 * beta)])
    _, last = smaller_groups(LOWEST, beta, tokens, runs, 2000.0, rng)
    counts = [int((last == smaller).sum()) for smaller in range(tokens // 2 + 1)]
    return np.array([*counts, int((last < 0).sum())]) / runs


@pictures.style()
def main(quick=False, figure=FIGURE):
    """The four comparisons; returns the table of predictions and the table of signs, which it prints."""
    fig, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    rows = [*draw_phases(axes[0, 0]), *draw_cone(axes[0, 1]), *draw_mixed(axes[1, 0], quick)]
    shares, more = draw_signs(axes[1, 1], quick)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    names = ("quantity", "predicted", "published", "measured")
    table = th.Table(tuple(dict(zip(names, row, strict=True)) for row in [*rows, *more]))
    print(table, shares, f"figure in {figure}", sep="\n\n")
    return table, shares


def draw_phases(ax):
    """Critical beta against the other eigenvalue, a line a size of the smaller group; roots of the measured rate."""
    rows = []
    for smaller in (1, 2, 3):
        lines = [float(critical_beta(signs(smaller), 0, [1, repr(float(mu))])) for mu in MUS]
        ax.plot(
            MUS,
            lines,
            color=f"C{smaller}",
            ls=pictures.LINES[smaller - 1],
            label=f"{TOKENS - smaller} against {smaller}",
        )
        for mu in TRIED:
            predicted = float(critical_beta(signs(smaller), 0, [1, str(mu)]))
            if predicted == 0:
                continue
            measured = simulated_threshold(smaller, mu, predicted)
            ax.plot(mu, measured, f"C{smaller}{pictures.MARKERS[smaller - 1]}", mfc="none", ms=6)
            asked = max(predicted, np.log((TOKENS - smaller) / smaller) / 2)
            quantity = f"critical beta, {TOKENS - smaller} against {smaller}, mu = {mu}"
            rows.append((quantity, f"{predicted:.6f}", f"{asked:.6f}", f"{measured:.6f}"))
    ax.axhline(np.log(5) / 2, color="k", ls=":", lw=1)
    ax.axvline(1, color="k", lw=0.8)
    ax.set(xlabel="other eigenvalue μ", ylabel=pictures.BETA, ylim=(0, 2.5), xlim=(-0.8, 1.05))
    ax.set_title("1  stable above the line (markers: simulated; dotted: reported, 5 against 1)", fontsize=9)
    pictures.legend(ax)
    return rows


def draw_cone(ax):
    """Largest angle to the dominant axis in cones, and the bound; worst ratio to it in the table."""
    eigenvalues, times, rows = [1.0, 0.6, -0.7], np.linspace(0, 16, 65), []
    rate = float(consensus_rate(0, [1, "0.6", "-0.7"]))
    start = in_a_cone(12, np.eye(3)[0], np.random.default_rng(4))
    for place, beta in enumerate((0.0, 2.0, 8.0)):
        run = nm.simulate(start, selection_flow(np.diag(eigenvalues), beta), t_end=16, save_at=times, track=12)
        overlaps = run.trajectories[:, :, 0].min(axis=1)
        tangents = np.sqrt(1 - overlaps**2) / overlaps
        ax.semilogy(times, tangents, color=f"C{place}", ls=pictures.LINES[place], label=f"β = {beta:g}")
        bound = tangents[0] * np.exp(-rate * times)
        rows.append((f"cone, beta {beta:g}: largest tan(angle)/bound", "<= 1", "-", f"{(tangents / bound).max():.6f}"))
        last = -np.log(tangents[-1] / tangents[-9]) / 2
        leading = -float(stability([1] * 12, 0, [1, "0.6", "-0.7"], beta).leading_eigenvalue)
        rows.append((f"cone, beta {beta:g}: last rate", f"{leading:.4f}", "-", f"{last:.4f}"))
    ax.semilogy(times, bound, "k-", lw=0.7, label="exp(-g t)")
    ax.set(xlabel=pictures.TIME, ylabel="tan of the largest angle")
    ax.set_title("2  a cone about the dominant axis, eigenvalues 1, .6, -.7", fontsize=9)
    pictures.legend(ax)
    return rows


def draw_mixed(ax, quick):
    """The first coordinate of the mirrored tokens of two triangles, certified, solid where stable, and simulated."""
    flow_values, values = [-1.0, -0.5], [[-1, 0], [0, "-0.5"]]
    betas = [0.1, 0.2, 0.33, 0.35] if quick else [*(round(0.05 + 0.01 * n, 2) for n in range(31)), 0.353, 0.354]
    known = {}
    for place, (name, guess) in enumerate(TRIANGLES.items()):
        states = []
        for beta in betas:
            states.append(equilibrium(guess, values, str(beta), digits=10))
            guess = [[float(x) for x in row] for row in states[-1].tokens]
        known |= {(name, beta): one for beta, one in zip(betas, states, strict=True)}
        heights = np.array([abs(float(one.tokens[1][0])) for one in states])
        stable = np.array([one.stable for one in states])
        ax.plot(betas, heights, f"C{place}:", lw=1)
        ax.plot(np.array(betas)[stable], heights[stable], f"C{place}-", label=f"apex on the {name} axis")
    ax.plot([TURN, 0.45], [1, 1], "C2-", label="two against one")
    rows = []
    for beta in (0.1, 0.2, 0.33, 0.35, 0.4):
        end = resting_state(flow_values, beta, TRIANGLES["second" if beta < 0.31 else "first"], 8000)
        height = np.sort(np.abs(end[:, 0]))[1]
        ax.plot(beta, height, "ko", mfc="none")
        stable = [known[name, beta] for name in TRIANGLES if beta in betas and known[name, beta].stable]
        place = abs(float(stable[0].tokens[1][0])) if stable else 1.0
        rows.append((f"V = diag(-1, -1/2), beta {beta}: |<x_2, e_1>|", f"{place:.6f}", "-", f"{height:.6f}"))
        if stable:
            rate = state_rates(end, selection_flow(np.diag(flow_values), beta))[0]
            rows.append(("  its leading rate", f"{float(stable[0].leading_eigenvalue):.6f}", "-", f"{rate:.6f}"))
    beside = equilibrium(BESIDE, [[1, 0], [0, "-1.5"]], 2, digits=10)
    end = resting_state([1.0, -1.5], 2.0, BESIDE, 100)
    place = float(beside.tokens[1][0])
    rows.append(("V = diag(1, -3/2), beta 2: <x_2, e_1> of the mixed state", f"{place:.6f}", "-", f"{end[1, 0]:.6f}"))
    ax.axvline(TURN, color="k", lw=0.8)
    ax.set(xlabel=pictures.BETA, ylabel="|<x, e_1>| of the two mirrored tokens", xlim=(0, 0.45), ylim=(0.48, 1.12))
    ax.set_title("3  three tokens, V = diag(-1, -1/2) (circles: simulated; dotted: unstable)", fontsize=9)
    pictures.legend(ax)
    return rows


def draw_signs(ax, quick):
    """Shares of the sizes of the smaller group as stacked bars, chance beside them; the table of all shares."""
    sizes, runs, rows, checks = (3, 4) if quick else (3, 4, 5, 6, 7, 8), 20 if quick else 400, [], []
    for tokens in sizes:
        for place, beta in enumerate(BETAS):
            shares = selected_shares(tokens, beta, runs)
            bottom, x = 0.0, tokens + 0.2 * (place - 1.5)
            for smaller, share in enumerate(shares[:-1]):
                ax.bar(
                    x, share, 0.17, bottom=bottom, color=f"C{smaller}", hatch=HATCHES[smaller], edgecolor="w", lw=0.4
                )
                bottom += share
            stable = [k for k in range(tokens // 2 + 1) if stability(signs(k, tokens), 0, LOWEST.tolist(), beta).stable]
            cells = {f"{k}": f"{shares[k]:.3f}" if k <= tokens // 2 else "" for k in range(sizes[-1] // 2 + 1)}
            facts = {"tokens": tokens, "beta": beta, "stable": " ".join(map(str, stable)), "runs": runs}
            rows.append({**facts, **cells, "not gathered": f"{shares[-1]:.3f}"})
            found = f"{sum(shares[k] for k in stable):.3f}"
            checks.append((f"V < 0, n = {tokens}, beta {beta:g}: share with stable signs", "1.000", "-", found))
    for smaller in range(1, sizes[-1] // 2 + 1):
        ax.bar(0, 0, color=f"C{smaller}", hatch=HATCHES[smaller], edgecolor="w", label=f"{smaller} in the smaller")
    ax.set(xlabel=f"tokens; bars: β = {', '.join(f'{b:g}' for b in BETAS)}", ylabel="share of runs")
    ax.set(xlim=(sizes[0] - 0.5, sizes[-1] + 0.5), xticks=sizes)
    ax.set_title("4  V < 0, dim 3: signs that remain", fontsize=9)
    ax.set_ylim(0, 1.12)
    ax.legend(fontsize=7, loc="upper center", ncol=4)
    return th.Table(tuple(rows)), checks


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
