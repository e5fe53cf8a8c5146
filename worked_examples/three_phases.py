"""The three phases of a density on the circle, from white noise to clusters, at beta = 5 and 7.

The density f (uniform = 1) solves d_t f = -d_theta (f v), v = W'*f, W = exp(beta cos)/beta. From white noise of
amplitude 1e-4 in the degrees 1 to 8, degree k = k_max grows fastest: the linear phase, which ends when the second order
in the amplitude, degree 2k, is a tenth of the first. While the third order is small too, f stays near the manifold of
period 2 pi/k: the quasi-linear phase. Its distance there, 1 - Q with Q the share of k, 2k, 3k, ... in the squares of
all amplitudes, falls until the linear modes give way, at best to about a^{2 (1 - gamma_2/gamma_k)} for noise of
amplitude a, gamma_2 the fastest rate without the period. Then mass concentrates: a series no longer holds f, and
quantiles follow it into clusters, at first k of them, unequal ones that merge later.

Dashed: growth of the linear modes; dotted lines in time: the predicted ends of the two phases. A start that has the
period keeps it, and ends in k equal clusters that contract at their exact rate.

Reference: arXiv 2410.23228 (Bruno, Pasqualotto, Agazzi).

Run: python worked_examples/three_phases.py [figure.png]     (30 s)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import theory as th

# Parameters: (beta, end of the run, times of the pictures)
CASES = ((5, 0.9, (0.3, 0.46, 0.53)), (7, 0.14, (0.05, 0.075, 0.083)))
AMPLITUDE, DEGREES, QUANTILES, TOLERANCE = 1e-4, 8, 4000, 0.1
NOISES, STARTS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8), 6
FIGURE = Path(__file__).with_suffix(".png")


def white_noise(amplitude, seed):
    """A density with independent normal amplitudes in the degrees 1 to 8."""
    return nm.densities.CircleDensity(amplitude * np.random.default_rng(seed).standard_normal(2 * DEGREES))


def linear_growth(start, rates, times):
    """Coefficients of the linear solution at the times, shape=[times, 2 DEGREES]."""
    return start.coefficients * np.exp(np.repeat(rates, 2) * times[:, None])


def phase_ends(run, linear, degree):
    """Times at which all that is not linear, and its part of odd multiples of k, reach a tenth of the linear mode k."""
    rest = run.coefficients.copy()
    rest[:, : linear.shape[1]] -= linear
    odd = (np.arange(1, rest.shape[1] // 2 + 1) % (2 * degree) == degree).repeat(2)
    mode = np.linalg.norm(linear[:, 2 * degree - 2 : 2 * degree], axis=1)
    return [first_time(run.t, np.linalg.norm(part, axis=1) / mode) for part in (rest, rest[:, odd])]


def first_time(times, values):
    """When increasing values reach the tolerance."""
    index = int(np.argmax(values >= TOLERANCE))
    return float(np.interp(TOLERANCE, values[index - 1 : index + 1], times[index - 1 : index + 1]))


def scaling(beta, degree, rate, noises, starts):
    """Powers of the noise by which the least distance falls, a start each, and by how much later it is reached."""
    lacking, peaks = np.empty((2, len(noises), starts))
    for i, amplitude in enumerate(noises):
        times = np.linspace(0, 1.3 * np.log(0.5 / amplitude) / rate, 200)
        for j in range(starts):
            run = nm.solve_density(
                white_noise(amplitude, j),
                beta=beta,
                t_end=times[-1],
                save_at=times,
                max_degree=256,
                rtol=1e-7,
                observe=[nm.Periodicity(degree)],
            )
            share = run.observables["periodicity"]
            lacking[i, j], peaks[i, j] = 1 - share.max(), times[share.argmax()]
    return np.polyfit(np.log(noises), np.log(lacking), 1)[0], -np.polyfit(np.log(noises), peaks, 1)[0]


def contraction(beta, degree, rate):
    """Rate at which two neighbouring quantiles at the middle of a cluster approach, late in a run of period 2 pi/k."""
    n, t_end = 40 * degree, 30 / abs(rate)
    run = nm.solve_quantiles(
        lambda angle: 1 + 0.3 * np.cos(degree * angle - 1),
        n=n,
        beta=beta,
        t_end=t_end,
        save_at=t_end * np.array([0, 0.6, 0.7]),
        rtol=1e-12,
        atol=1e-15,
        method="dense",
    )
    angles = np.unwrap(np.arctan2(run.trajectories[..., 1], run.trajectories[..., 0]), axis=1)
    middle = int(np.argmin(np.abs((degree * angles[0] - 1 + np.pi) % (2 * np.pi) - np.pi)))
    width = np.abs(angles[:, middle + 1] - angles[:, middle])
    return np.log(width[2] / width[1]) / (run.t[2] - run.t[1])


def draw(axes, case, spectral, late, linear, ends, degree):
    """Densities in the three phases, amplitudes of the degrees, and the distance from the periodic manifold."""
    beta, t_end, pictures = case
    angle = np.linspace(0, 2 * np.pi, 1000)
    for time, density in zip(spectral.t, spectral.densities, strict=True):
        if np.isclose(time, pictures).any():
            axes[0].plot(angle, density.values(angle), label=f"t = {time:g}")
    places = np.sort(np.arctan2(late.tokens[:, 1], late.tokens[:, 0]) % (2 * np.pi))
    axes[0].stairs(*density_of(places), color="k", lw=0.7, label=f"t = {t_end:g}, quantiles")
    axes[0].set(yscale="log", ylim=(0.02, 300), xlabel="angle", ylabel="density", title=f"beta = {beta}")
    powers = spectral.observables["harmonic_power"], late.observables["harmonic_power"]
    for k in range(1, 7):
        color = f"C{k - 1}"
        axes[1].plot(spectral.t, powers[0][:, k] ** 0.5, color, label=f"k = {k}", lw=2 if k == degree else 1)
        axes[1].plot(late.t, powers[1][:, k] ** 0.5, color, ls=":")
        axes[1].plot(spectral.t, np.linalg.norm(linear[:, 2 * k - 2 : 2 * k], axis=1) / 2**0.5, color, ls="--", lw=0.6)
    axes[1].set(yscale="log", ylim=(1e-5, 1.5), xlabel="time", ylabel="amplitude A_k")
    missing = [k for k in range(1, DEGREES + 1) if k % degree]
    squares = (linear**2).reshape(len(linear), -1, 2).sum(axis=2)
    axes[2].plot(spectral.t, 1 - spectral.observables["periodicity"], "C0", label="series")
    axes[2].plot(late.t, 1 - late.observables["periodicity"], "C0:", label="quantiles")
    share = squares[:, np.array(missing) - 1].sum(axis=1) / squares.sum(axis=1)
    axes[2].plot(spectral.t, share, "k--", lw=0.8, label="linear modes")
    axes[2].set(yscale="log", xlabel="time", ylabel="distance from period 2 pi/k, 1 - Q", ylim=(0.05, 1.1))
    for ax in axes[1:]:
        for end in ends:
            ax.axvline(end, color="0.5", ls=":", lw=1)
    for ax in axes:
        ax.legend(fontsize=7)


def density_of(places):
    """Histogram of the quantiles as a density, with its edges."""
    mass, edges = np.histogram(places, 200, (0, 2 * np.pi))
    return mass * 200 / len(places), edges


def follow(case, degree):
    """A run from white noise as a series, as far as it goes, and by quantiles to the end."""
    beta, t_end, pictures = case
    options = {"beta": beta, "observe": [nm.HarmonicPower(6), nm.Periodicity(degree)]}
    start, times = white_noise(AMPLITUDE, 0), np.union1d(np.linspace(0, t_end, 201), pictures)
    spectral = nm.solve_density(start, t_end=t_end, save_at=times, **options)
    late = nm.solve_quantiles(start, n=QUANTILES, t_end=t_end, save_at=times, **options)
    return start, spectral, late


def main(quick=False, figure=FIGURE):
    """Both temperatures; returns the table that it prints."""
    fig, axes = plt.subplots(len(CASES), 3, figsize=(14, 7.5), layout="constrained")
    rows = []
    for case, row in zip(CASES, axes, strict=True):
        beta = case[0]
        degree = th.selected_degree(beta, 2)
        rates = np.array([float(th.growth_rate(k, 2, beta, digits=17)) for k in range(1, DEGREES + 1)])
        start, spectral, late = follow(case, degree)
        linear = linear_growth(start, rates, spectral.t)
        size = 2**0.5 * np.linalg.norm(start.coefficients[2 * degree - 2 : 2 * degree])
        series = th.expansions.expansion(3, degree, 2, beta)
        ends = [series.end(order, TOLERANCE, size) for order in (1, 2)]
        noises, starts = (NOISES[::2], 2) if quick else (NOISES, STARTS)
        powers, later = scaling(beta, degree, rates[degree - 1], noises, starts)
        labels = nm.cluster_labels(late.tokens, angle=0.1, min_mass=0.01)
        intra = float(th.clusters.intra_rate(degree, beta, digits=17))
        measured = {
            "end of the linear phase": (ends[0], phase_ends(spectral, linear, degree)[0]),
            "end of the quasi-linear phase": (ends[1], phase_ends(spectral, linear, degree)[1]),
            "power of the noise in 1 - Q": (float(th.expansions.competition_exponent(beta)), powers.mean()),
            "peak of Q later, per log 1/noise": (1 / rates[degree - 1], later.mean()),
            "contraction of k equal clusters": (intra, contraction(beta, degree, intra)),
            "clusters from noise": (degree, labels.max() + 1),
        }
        rows += [
            {"beta": beta, "quantity": name, "predicted": f"{value:.5g}", "measured": f"{found:.5g}"}
            for name, (value, found) in measured.items()
        ]
        draw(row, case, spectral, late, linear, ends, degree)
        print(f"beta {beta}: series {spectral.status} ({spectral.seconds:.2g} s), quantiles {late.status}")
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    table = th.Table(tuple(rows))
    print(table, f"figure in {figure}", sep="\n\n")
    return table


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
