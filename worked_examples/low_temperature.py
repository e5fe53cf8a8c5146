"""Tokens at low temperature: they align, they diffuse backwards, they pair; each step takes a power of the last.

Tokens follow x' = P_x V m(x), m the softmax average of y with scores beta <x, B y> (SA). At beta = infinity m(x) is
B^T x/|B^T x|, and tokens end on the limit map of V B^T. Four comparisons, theory against simulation:

1. Field: its distance from the limit falls as 1/beta, and as 1/beta^2 beyond the first correction.
2. Metastability: V = diag(1, 1, -1/2), B = I on the sphere in dim 3, a smooth density symmetric in each coordinate. The
   distance W_2 from the image of the start under the limit map (onto the equator) falls as exp(-ct), c = 3/2 the
   spectral gap, then rises as the density contracts along the equator at the speed s/beta, at times of order beta. The
   published bound a sqrt(log(beta+1)/beta) exp(Ct) + b exp(-ct) allows a rise that is higher.
3. Pairing: three tokens, of which two are orthogonal and closest, on the clock dt = exp(beta (1 - <x_1, x_2>)) ds of
   the current overlap: it follows tanh 2s.
4. Lifetime of k equal clusters on the circle: log(beta T) grows linearly with beta, as simulated to 10^100 and more.

Reference: arXiv 2605.10931 (Alcalde, Bungert, Riedl, Roith) and 2509.25040 (Bruno, Pasqualotto, Agazzi).

Run: python worked_examples/low_temperature.py [figure.png]     (2 min)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import pictures
from gegenflow import theory as th
from gegenflow.numerics.validation.limit_images import fall, image_distances, octant

# Parameters
BETAS, SIZE, TIMES = (5, 10, 20, 40, 80, 160), (20, 16), np.linspace(0, 6, 31)
CLOCK = ["0.05", "0.1", "0.2", "0.3", "0.4", "0.5"]
FIGURE = Path(__file__).with_suffix(".png")


def draw_field(ax, report, betas):
    """Powers of beta of the error: two orders in each of two dims."""
    for place, name in enumerate(("dim 2, limit", "dim 2, first order", "dim 3, limit", "dim 3, first order")):
        dim, order = divmod(place, 2)
        checks = report.checks[dim * 2 * len(betas) + order :: 2][: len(betas)]
        nm.validation.plot_sweep(checks, betas, ax=ax, label=name, rivals=not place)
    ax.set(xlabel=pictures.BETA, ylabel="power of β", title="1  error of the field; dims coincide")
    ax.set(xticks=betas, ylim=(-3.2, 0.2))
    pictures.legend(ax)


def draw_metastability(ax, report, betas):
    """Distances from the image, one run each, the fall at beta = infinity and the drift of the law (dotted)."""
    gap = float(th.low_temperature.limit_map([[1, 0, 0], [0, 1, 0], [0, 0, "-0.5"]]).gap)
    for n, beta in enumerate(betas):
        look = {"color": f"C{n}", "ls": "-", "marker": pictures.MARKERS[n], "markevery": 5}
        ax.semilogy(TIMES, image_distances(beta, TIMES, *SIZE)[0], **look, label=f"β = {beta}")
        ax.semilogy(TIMES[1:], report.checks[0].predicted * TIMES[1:] / beta, f"C{n}:", lw=1)
    ax.semilogy(TIMES, fall(gap, TIMES, *octant(*SIZE)), "k--", lw=1, label="fall, exact at infinity")
    ax.set(
        xlabel=pictures.TIME, ylabel="$W_2$ from the image", title="2  metastability (dotted: drift)", ylim=(1e-3, 2)
    )
    pictures.legend(ax)


def draw_pairing(ax, report, betas):
    """Overlaps of the closest pair on its clock."""
    for place, beta in enumerate(betas):
        checks = report.checks[place * len(CLOCK) : (place + 1) * len(CLOCK)]
        clock = np.array(CLOCK, dtype=float)
        nm.validation.plot_sweep(checks, clock, ax=ax, label=f"β = {beta}", rivals=not place)
    ax.set(xlabel="s", ylabel="overlap", title="3  pairing: tanh 2s at all β, curves coincide")
    pictures.legend(ax)


def draw_lifetimes(ax, report, betas):
    """Growth of log(beta T) per beta, for three to five clusters."""
    for place, clusters in enumerate((3, 4, 5)):
        checks = report.checks[place * len(betas) : (place + 1) * len(betas)]
        nm.validation.plot_sweep(checks, betas, ax=ax, label=f"{clusters} clusters", rivals=not place)
    ax.set(xlabel=pictures.BETA, ylabel="log(β T) per β", title="4  lifetimes")
    pictures.legend(ax)


@pictures.style()
def main(quick=False, figure=FIGURE):
    """The four comparisons; returns the trials of their laws."""
    fields, pairs, lives = [25, 50, 100], [20, 30, 40], [40, 80, 120, 160]
    if quick:
        fields, pairs, lives = [30, 60], [20, 30], [60, 120]
    field = nm.validate("error of the limit field", dims=(2, 3), beta=fields)
    drift = nm.validate("drift along the limit set")
    pairing = nm.validate("pairing of the closest tokens", beta=pairs, time=CLOCK)
    lifetimes = nm.validate("lifetime of clusters", clusters=(3, 4, 5), beta=lives)
    fig, axes = plt.subplots(2, 2, figsize=(10, 7.5), layout="constrained")
    draw_field(axes[0, 0], field, fields)
    draw_metastability(axes[0, 1], drift, BETAS[::2] if quick else BETAS)
    draw_pairing(axes[1, 0], pairing, pairs)
    draw_lifetimes(axes[1, 1], lifetimes, lives)
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    print(field, drift, pairing, lifetimes, f"figure in {figure}", sep="\n\n")
    return field, drift, pairing, lifetimes


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
