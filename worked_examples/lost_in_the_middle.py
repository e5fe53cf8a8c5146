"""Lost in the middle: what the last of many tokens keeps of the start of an earlier one, and where it keeps least.

Tokens on the circle, in order, each drawn towards those before it, the nearer the better (ALiBi with decay lam), by
w', w = exp(beta cos). One of M codewords is the start of token s_0 N; S_t(s_0) says how well the last token tells it:

    S_t(s_0) = sum_n exp(-pi^2 n^2/(2 M^2)) g_n,  g_n = lim N E cos n(theta_N(t) - theta_i(0)),  i = s_0 N.

1. Profile: S_t(s_0) at M = 10, beta = 1, lam = 1, exact and simulated: a U, as in the paper.
2. Minimum: where the middle is lost, a certified root at every time, with the law of small times, until it leaves
   through the last token at t_1; the minima of simulated profiles.
3. Phases in (decay, time): U below t_1, N (a minimum, then a maximum) between t_1 and t_2, decreasing
   above; the paper's smallness condition guarantees the U in a part only.
4. Finite N: the memory of degree 1 near the first token is too weak by an amount that shrinks as 1/N.

Reference: arXiv 2605.09213 (Duerinckx, Geshkovski, Rossi). Minimum, t_1, t_2 and the N are derived here.

Run: python worked_examples/lost_in_the_middle.py [figure.png]     (2 min)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th
from gegenflow.numerics.validation import law_named

# Parameters
BETA, CODEWORDS, DEGREES = 1, 10, 7
SETTINGS = ((1, 1, 10, 1), (1, 3, 10, 1), (1, 1, 10, "0.1"), (2, 2, 20, "0.3"))  # beta, decay, codewords, time
BEYOND = {"beta": 1, "decay": 5, "codewords": 10, "time": "5.2"}
FIGURE = Path(__file__).with_suffix(".png")


def simulated_profile(decay, time, tokens, places, runs, rng):
    """Mean and standard error of the profile at positions, from the correlations of degrees 1 to 7."""
    sources = np.round(np.asarray(places) * tokens - 0.5).astype(int).clip(0, tokens - 1)
    flow = nm.Flow(beta=BETA, causal=nm.Causal(decay, own=False))
    found = nm.systems.source_correlations(
        flow, tokens=tokens, sources=sources.tolist(), max_degree=DEGREES, time=BETA * time, runs=runs, rng=rng
    )
    samples = found @ np.exp(-((np.pi * np.arange(1, DEGREES + 1) / CODEWORDS) ** 2) / 2)
    return (sources + 0.5) / tokens, samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(runs)


def draw_profile(ax, quick):
    """The exact profile at three times, simulated points, and the minima."""
    positions, rows = np.linspace(0.01, 1, 12 if quick else 60), []
    places = np.linspace(0.05, 0.95, 5 if quick else 10)
    for number, time in enumerate((0.5, 1.0, 1.5)):
        exact = [float(th.causal.retrieval_profile(float(s), BETA, 1, CODEWORDS, time, digits=8)) for s in positions]
        ax.plot(positions, exact, color=f"C{number}", ls=pictures.LINES[number], label=f"t = {time:g}")
        least = th.causal.retrieval_minimum(beta=BETA, decay=1, codewords=CODEWORDS, time=time)
        height = th.causal.retrieval_profile(least, BETA, 1, CODEWORDS, time, digits=8)
        ax.plot(float(least), float(height), f"C{number}v")
        at, mean, bar = simulated_profile(1, time, 500 if quick else 2000, places, 6 if quick else 12, number)
        ax.errorbar(at, mean, bar, fmt=f"C{number}{pictures.MARKERS[number]}", mfc="none", capsize=2)
        middle = len(places) // 2
        predicted = float(th.causal.retrieval_profile(float(at[middle]), BETA, 1, CODEWORDS, time, digits=8))
        name = f"profile at {at[middle]:.3f}, lam 1, t = {time:g}"
        rows.append((name, f"{predicted:.4f}", "-", f"{mean[middle]:.4f} +- {bar[middle]:.4f}"))
    ax.set(xlabel="position of the source", ylabel="S", title="1  retrieval profile, decay 1", ylim=(0, 4))
    pictures.legend(ax)
    return rows


def draw_minimum(ax, quick):
    """The lost middle against time for three decays, with its law at small times; minima of simulated profiles."""
    rows = []
    for number, decay in enumerate((1, 2, 3)):
        setting = {"beta": BETA, "decay": decay, "codewords": CODEWORDS}
        end = float(th.causal.recency_time(**setting))
        times = [end * share for share in np.linspace(0.03, 0.999, 4 if quick else 40)]
        ax.plot(times, [float(th.causal.retrieval_minimum(**setting, time=t)) for t in times], f"C{number}-")
        small = [float(th.causal.small_time_minimum(**setting, time=t, digits=8)) for t in times[: len(times) // 2]]
        ax.plot(times[: len(small)], small, f"C{number}:")
        ax.plot(end, float(th.causal.retrieval_minimum(**setting, time=times[-1])), f"C{number}o", mfc="none")
        ax.text(0.1, 0.9 - 0.08 * number, f"decay {decay}, until t_1 = {end:.3f}", color=f"C{number}", fontsize=8)
    for beta, decay, codewords, time in SETTINGS[:2] if quick else SETTINGS:
        given = {"beta": beta, "decay": decay, "codewords": codewords, "time": time}
        sizes = {"tokens": 500, "runs": 8} if quick else {}
        (check,) = law_named("lost middle")(rng=0, **given, **sizes)
        found = np.exp(check.measured)
        exact = th.causal.retrieval_minimum(**given)
        name = f"minimum, beta {beta}, lam {decay}, M {codewords}, t = {time}"
        rows.append((name, f"{float(exact):.5f}", "unique", f"{found:.4f} +- {found * check.error:.4f}"))
        if beta == BETA:
            ax.errorbar(float(time), found, found * check.error, fmt="ks", ms=4, capsize=2)
    ax.set(xlabel=pictures.TIME, ylabel="least memory at", title="2  minimum (dotted: small t; squares: simulated)")
    return rows


def draw_phases(ax, quick):
    """U, N and decreasing in the plane of decay and time; the N seen in a simulation."""
    setting = {"beta": BETA, "codewords": CODEWORDS}
    star = th.causal.critical_decay(**setting)
    decays = np.linspace(0.05, 8, 8 if quick else 40)
    first = [float(th.causal.recency_time(**setting, decay=float(lam), digits=8)) for lam in decays]
    small = [float(th.causal.smallness_time(beta=BETA, decay=float(lam), digits=8)) for lam in decays]
    beyond = float(star) + np.linspace(0.02, 1, 3 if quick else 24) ** 2 * (8 - float(star))
    last = [float(th.causal.fold_time(**setting, decay=float(lam), digits=8)) for lam in beyond]
    ax.plot(decays, first, "C0", label="t_1: the end turns down")
    ax.plot(beyond, last, "C1-.", label="t_2: the two turns merge")
    ax.plot(decays, small, "k--", label="smallness condition")
    ax.axvline(float(star), color=pictures.MUTED, lw=0.7)
    ax.plot(BEYOND["decay"], float(BEYOND["time"]), "ks", ms=4)
    for text, place in (("U", (5.5, 1)), ("U", (3, 2.8)), ("N", (6.5, 5.5)), ("decreasing", (1.8, 8))):
        ax.text(*place, text, fontsize=12)
    ax.set(xlabel="decay", ylabel=pictures.TIME, title="3  shapes of the profile", xlim=(0, 8), ylim=(0, 11))
    pictures.legend(ax)
    rows = [(f"decay lam* from which an N exists, beta {BETA}, M {CODEWORDS}", f"{float(star):.6f}", "-", "-")]
    kinds = {"time": (1.5, 2.9, 5.2, 8), "published": ("U", "-", "-", "-")}
    for time, published in zip(*kinds.values(), strict=True):
        shape = th.causal.retrieval_shape(**setting, decay=5, time=time)
        rows.append((f"shape, lam 5, t = {time:g}", shape, published, "-"))
    sizes = {"tokens": 1000, "runs": 10} if quick else {}
    for check in law_named("profile beyond")(rng=0, **BEYOND, **sizes):
        name = check.name.split(" log of the ")[1]
        measured = f"{check.measured:.3f} +- {check.error:.3f}"
        rows.append((f"log S, lam 5, t = 5.2, {name}", f"{check.predicted:.3f}", "-", measured))
    return rows


def draw_sizes(ax, quick):
    """Memory of degree 1 at five positions near the first token, by numbers of tokens; N times what is missing."""
    rate, rows = th.causal.drive_rate(1, BETA, digits=20), []
    flow = nm.Flow(beta=BETA, causal=nm.Causal(1.0, own=False))
    for number, tokens in enumerate((64, 256) if quick else (64, 256, 1024)):
        sources = np.unique(np.round(np.geomspace(0.03, 0.3, 5) * tokens - 0.5).astype(int)).tolist()
        runs = (64 if quick else 400) * 64 // tokens
        options = {"tokens": tokens, "sources": sources, "max_degree": 1, "time": float(BETA), "grid": 4}
        found = nm.systems.source_correlations(flow, **options, runs=runs, rng=number)[:, :, 0]
        at = (np.array(sources) + 0.5) / tokens
        exact = np.array([float(th.causal.correlation(float(s), rate, 1, decay=1)) for s in at])
        missing, bar = exact - found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(runs)
        ax.errorbar(
            at,
            tokens * missing,
            tokens * bar,
            fmt=f"C{number}{pictures.MARKERS[number]}-",
            ms=5,
            capsize=2,
            label=f"N = {tokens}",
        )
        k = int(np.argmin(np.abs(at - 0.1)))
        name = f"memory of degree 1 at {at[k]:.3f}, N = {tokens}"
        rows.append((name, f"{exact[k]:.4f}", "-", f"{found[:, k].mean():.4f} +- {bar[k]:.4f}"))
    ax.set(xlabel="position of the source", ylabel="N (g - g_N)", xscale="log")
    ax.set_title("4  what finite N misses, degree 1")
    ax.minorticks_off()
    ax.set_xticks([0.03, 0.1, 0.3], ["0.03", "0.1", "0.3"])
    pictures.legend(ax)
    return rows


@pictures.style()
def main(quick=False, figure=FIGURE):
    """The four comparisons; returns the table that it prints."""
    fig, axes = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
    draw = (draw_profile, draw_minimum, draw_phases, draw_sizes)
    rows = [row for ax, part in zip(axes.flat, draw, strict=True) for row in part(ax, quick)]
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    names = ("quantity", "predicted", "published", "measured")
    table = th.Table(tuple(dict(zip(names, row, strict=True)) for row in rows))
    print(table, f"figure in {figure}", sep="\n\n")
    return table


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
