"""Tokens at low temperature: they align, they diffuse backwards, they pair; each step takes a power of the last.

Tokens follow x' = P_x V m(x), m the softmax average of y with scores beta <x, B y> (SA). At beta = infinity m(x) is
B^T x/|B^T x|, and tokens end on the limit map of V B^T. Four comparisons, theory against simulation:

1. Field: its distance from the limit falls as 1/beta, with the coefficient of the first correction.
2. Metastability: V = diag(1, 1, -1/2), B = I on the sphere in dim 3, a smooth density symmetric in each coordinate. The
   distance W_2 from the image of the start under the limit map (onto the equator) falls as exp(-ct), c = 3/2 the
   spectral gap, then rises as the density contracts along the equator, at times of order beta. The published bound
   a sqrt(log(beta+1)/beta) exp(Ct) + b exp(-ct) allows a rise that is higher; what happens is close to
   sqrt(F(t)^2 + (s t/beta)^2), F the fall at beta = infinity. Latitude and longitude are transported one by one,
   W_2^2 = E lat^2 + W_2(longitudes)^2, which a linear program over all tokens confirmed to three digits.
3. Pairing: three tokens, of which two are orthogonal and closest, on the clock dt = exp(beta (1 - <x_1, x_2>)) ds of
   the current overlap: it follows tanh 2s.
4. Lifetime of k equal clusters on the circle, nudged by 1e-3: log T grows linearly with beta, as simulated to 10^130.

Reference: arXiv 2605.10931 (Alcalde, Bungert, Riedl, Roith) and 2509.25040 (Bruno, Pasqualotto, Agazzi).

Run: python worked_examples/low_temperature.py [figure.png]     (50 s)
"""

import sys
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp
from scipy.optimize import least_squares

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.integrators.paths import integrate
from gegenflow.theory.clusters.escapes import escape_mode, lifetime
from gegenflow.theory.low_temperature.flow import drift_speed
from gegenflow.theory.low_temperature.limit_maps import limit_map
from gegenflow.theory.low_temperature.metastability import ProjectionLaw
from gegenflow.theory.low_temperature.pairing import pairing_overlap

# Parameters
BETAS = (5, 10, 20, 40, 80, 160, 320)
VALUES = np.array([1, 1, -0.5])
TIMES = np.linspace(0, 6, 31)
SIGNS = np.array(list(product([1, -1], repeat=3)))
TILT, NUDGE = 0.5, 1e-3
FIGURE = Path(__file__).with_suffix(".png")


def softmax_average(points, sources, weights, beta):
    """Average of the sources with weights w_j exp(beta <x, y_j>) at each point, which need not be a unit vector."""
    score = beta * points @ sources.T
    share = np.exp(score - score.max(axis=1, keepdims=True)) * weights
    return share @ sources / share.sum(axis=1, keepdims=True)


def field_errors(dim, betas, rng):
    """Distance of the field from its limit, and from its limit with the first correction, at random points."""
    points, tilt = nm.uniform(12, dim, rng=rng), 0.8 * np.eye(dim)[0]
    values, form = np.eye(dim) + 0.4 * rng.standard_normal((2, dim, dim))
    scores = points @ form
    reach = np.linalg.norm(scores, axis=1, keepdims=True)
    limit = scores / reach
    slope = tilt - (limit @ tilt)[:, None] * limit - (dim - 1) / 2 * limit
    errors = []
    for beta in betas:
        sources, weights = nm.tokens.quadrature(dim, 40 + int(14 * np.sqrt(beta * reach.max())))
        average = softmax_average(scores, sources, weights * np.exp(sources @ tilt), beta)
        parts = [average - limit, average - limit - slope / (beta * reach)]
        pulls = [part @ values.T for part in parts]
        tangent = [pull - np.sum(pull * points, axis=1, keepdims=True) * points for pull in pulls]
        errors.append([np.sqrt(np.mean(np.sum(v**2, axis=1))) for v in tangent])
    return np.array(errors)


def octant(latitudes, longitudes):
    """Tokens in one octant of the sphere with the weights of the density 1 + TILT (x^2 - y^2)."""
    height, mass = (part[latitudes:] for part in np.polynomial.legendre.leggauss(2 * latitudes))
    angle = (np.arange(longitudes) + 0.5) * np.pi / (2 * longitudes)
    radius = np.sqrt(1 - height**2)
    equator = np.column_stack([np.cos(angle), np.sin(angle)])
    tokens = np.column_stack([np.kron(radius[:, None], equator), np.repeat(height, longitudes)])
    weights = np.repeat(mass, longitudes) * (1 + TILT * (tokens[:, 0] ** 2 - tokens[:, 1] ** 2))
    return tokens, weights / weights.sum()


def distances_from_image(beta, latitudes, longitudes):
    """W_2 at TIMES from the image of the start and its part along the equator; one octant is followed, all attract."""
    start, weights = octant(latitudes, longitudes)
    all_weights, history = np.tile(weights / 8, 8), []

    def field(state, out):
        sources = (state * SIGNS[:, None]).reshape(-1, 3)
        pull = VALUES * softmax_average(state, sources, all_weights, beta)
        out[:] = pull - np.sum(pull * state, axis=1, keepdims=True) * state

    end = integrate(
        field, start, t_end=TIMES[-1], save_at=TIMES, order=5, rtol=1e-6, observe=lambda _, x: history.append(x)
    )
    assert end.status.ok, end.status

    def along(state):
        return nm.normalize((state * SIGNS[::2, None]).reshape(-1, 3)[:, :2]), np.tile(weights / 4, 4)

    first, mass = along(start)
    turned = [nm.wasserstein_distance(along(x)[0], first, first_weights=mass, second_weights=mass) for x in history]
    raised = [np.sqrt(weights @ np.arcsin(x[:, 2]) ** 2) for x in history]
    return np.hypot(raised, turned), np.array(turned)


def linear_fall(gap, latitudes, longitudes):
    """The distance at beta = infinity: tan(latitude) decays as exp(-ct) on every meridian."""
    tokens, weights = octant(latitudes, longitudes)
    steepness = tokens[:, 2] / np.hypot(*tokens.T[:2])
    return np.sqrt([weights @ np.arctan(np.exp(-gap * time) * steepness) ** 2 for time in TIMES])


def fitted(betas, distances, gap, fall):
    """Constants of the bound, and the speed of a drift beside the fall, with what they miss by (log, rms)."""
    beta, observed = np.array(betas)[:, None], np.log(distances)
    smoothing = np.sqrt(np.log(beta + 1) / beta)

    def bound(logs):
        rise, growth, first = np.exp(logs)
        law = rise * smoothing * np.exp(growth * TIMES) + first * np.exp(-gap * TIMES)
        return (np.log(law) - observed).ravel()

    def drift(logs):
        return (np.log(np.hypot(fall, np.exp(logs) * TIMES / beta)) - observed).ravel()

    fits = [least_squares(law, start) for law, start in ((bound, [-2, -1, 0]), (drift, [-1]))]
    return [(np.exp(fit.x), np.sqrt(np.mean(fit.fun**2))) for fit in fits]


def pair_overlaps(beta, clock):
    """Overlap of the closest of three tokens at the times s of its own clock."""
    start, overlaps = nm.normalize([[1, 0, 0], [0, 1, 0], [-1, -1, 0.5]]), []

    def field(state, out):
        gap = np.sum((state[0] - state[1]) ** 2) / 2
        out[:] = nm.attention_field(nm.normalize(state), beta=beta, model="sa") * np.exp(beta * gap)

    integrate(field, start, t_end=clock[-1], save_at=clock, observe=lambda _, x: overlaps.append(x[0] @ x[1]))
    return np.array(overlaps)


def simulated_lifetime(clusters, beta):
    """Time at which the first two of equal clusters meet, after a nudge in the mode that grows fastest."""
    angle = 2 * np.pi * np.arange(clusters) / clusters
    angle += NUDGE * np.cos(escape_mode(clusters, beta) * angle)
    tokens = np.column_stack([np.cos(angle), np.sin(angle)])
    t_end = 10 * float(lifetime(clusters, beta, perturbation=str(NUDGE), model="sa"))
    run = nm.simulate(tokens, beta=beta, model="sa", t_end=t_end, save_at=[], merge=1e-10)
    return run.merges[0, 0]


def main(quick=False, figure=FIGURE):
    """The four comparisons; returns the table that it prints."""

    fig, axes = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
    rows = [*draw_field(axes[0, 0]), *draw_metastability(axes[0, 1], quick), *draw_pairing(axes[1, 0], quick)]
    rows += draw_lifetimes(axes[1, 1], quick)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    table = th.Table(tuple({"quantity": q, "predicted": p, "measured": m} for q, p, m in rows))
    print(table, f"figure in {figure}", sep="\n\n")
    return table


def draw_field(ax):
    """Field errors, with the slope of each line in the table."""
    betas, rng, rows = np.array(BETAS[2:]), np.random.default_rng(0), []
    for dim in (2, 3):
        errors = field_errors(dim, betas, rng)
        for column, what in enumerate(("limit", "first order")):
            ax.loglog(betas, errors[:, column], "os"[column] + "-", label=f"dim {dim}, {what}")
            slope = np.polyfit(np.log(betas), np.log(errors[:, column]), 1)[0]
            rows.append((f"field error, dim {dim}, {what}: power of beta", str(-1 - column), f"{slope:.3f}"))
    ax.set(xlabel="beta", ylabel="error of the field", title="1  field")
    ax.legend(fontsize=7)
    return rows


def draw_metastability(ax, quick):
    """Distances from the image with the fitted fall and drift; the constants in the table."""
    betas, size = (BETAS[:5:2], (14, 12)) if quick else (BETAS, (24, 20))
    gap = float(limit_map([[1, 0, 0], [0, 1, 0], [0, 0, "-0.5"]]).gap)
    distances, turned = np.swapaxes([distances_from_image(beta, *size) for beta in betas], 0, 1)
    fall = linear_fall(gap, *size)
    (bound, far), ((speed,), near) = fitted(betas, distances, gap, fall)
    for n, (beta, observed) in enumerate(zip(betas, distances, strict=True)):
        ax.semilogy(TIMES, observed, f"C{n}-", label=f"beta {beta}")
        ax.semilogy(TIMES, np.hypot(fall, speed * TIMES / beta), f"C{n}:", lw=1)
    ax.set(xlabel="t", ylabel="W_2 from the image", title="2  metastability (dotted: fall and drift)")
    ax.legend(fontsize=7)
    models = [np.hypot(fall, speed * TIMES / beta) for beta in betas]
    slopes = [np.polyfit(np.log(betas), TIMES[np.argmin(lines, axis=1)], 1)[0] for lines in (models, distances)]
    end = TIMES >= 5.2
    rise = np.polyfit(TIMES[end], turned[-1][end], 1)[0] * betas[-1]
    circle = float(drift_speed(1 + TILT * sp.Rational(2, 3) * (2 * th.t**2 - 1), 2).evalf())
    early = (TIMES >= 0.5) & (TIMES <= 1.5)
    rates = [-np.polyfit(TIMES[early], np.log(line[early]), 1)[0] for line in (fall, distances[-1])]
    law = ProjectionLaw(gap, *bound)
    times = [float(law.best_time(10.0**n)) for n in (3, 4)]
    return [
        (f"rate of the fall at t = 1, beta {betas[-1]} (infinite)", *(f"{rate:.3f}" for rate in rates)),
        (f"speed of the rise on the equator at t = 5.6 times beta, beta {betas[-1]}", f"{circle:.3f}", f"{rise:.3f}"),
        ("time of the least distance per log beta: fall and drift", *(f"{slope:.3f}" for slope in slopes)),
        ("  the same by the fitted bound", f"{(times[1] - times[0]) / np.log(10):.3f}", f"{slopes[1]:.3f}"),
        ("bound: a, C, b; rms of log", "-", ", ".join(f"{x:.3f}" for x in bound) + f"; {far:.2f}"),
        ("fall and drift: s; rms of log", "-", f"{speed:.3f}; {near:.2f}"),
    ]


def draw_pairing(ax, quick):
    """Overlaps of the closest pair against tanh 2s, the largest difference in the table."""
    clock, rows = np.linspace(0, 0.8, 33), []
    predicted = np.array([float(pairing_overlap(s)) for s in clock])
    ax.plot(clock, predicted, "k--", label="tanh 2s")
    for beta in (20, 40) if quick else (10, 20, 40):
        overlaps = pair_overlaps(beta, clock)
        ax.plot(clock, overlaps, label=f"beta {beta}")
        worst = abs(overlaps - predicted)[clock <= 0.4].max()
        rows.append((f"pairing, s <= 0.4, beta {beta}: largest difference from tanh 2s", "0", f"{worst:.1e}"))
    ax.set(xlabel="s", ylabel="overlap", title="3  pairing")
    ax.legend(fontsize=7)
    return rows


def draw_lifetimes(ax, quick):
    """Simulated and predicted lifetimes; growth of their logarithms over the upper half in the table."""
    betas, rows = np.array([60, 120] if quick else [40, 60, 80, 100, 120, 140, 160, 180, 200]), []
    for clusters in (3, 4, 5):
        simulated = np.array([simulated_lifetime(clusters, int(beta)) for beta in betas])
        predicted = [float(lifetime(clusters, int(b), perturbation=str(NUDGE), model="sa")) for b in betas]
        ax.semilogy(betas, simulated, "o", mfc="none", label=f"{clusters} clusters, simulated")
        ax.semilogy(betas, predicted, "k-", lw=1)
        slopes = [np.polyfit(betas, np.log(times), 1)[0] for times in (predicted, simulated)]
        rows.append((f"lifetime of {clusters} clusters: log T per beta", *(f"{slope:.4f}" for slope in slopes)))
    ax.set(xlabel="beta", ylabel="T", title="4  lifetime (lines: linear law)")
    ax.legend(fontsize=7)
    return rows


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
