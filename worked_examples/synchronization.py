"""Tokens synchronise exponentially: W_2 to the Dirac at the exact rate, and how conservative the theorem is.

Left: W_2 to the limiting Dirac of 200 tokens in a cap, dims 2, 3, 8: it decays at the rate e^beta (USA) or 1 (SA), in
every dim. Middle: starts with a density in L^2 whose mean has length sqrt(R_0) (von Mises-Fisher, 2000 tokens). The
theorem promises W_2 <= C_0 e^{-t/100} from some time T_0 on if beta is small; observed are the true rate and the time
from which the local rate is within 5 % of it. Where beta is large, tokens split into clusters that do not meet by the
end of the run: the share gathered within 0.1 of the heaviest cluster tells. Right: equiangular tokens under three
normalisations: 1 - g falls like e^{-2t} (Post-LN), and like t^{-2} where lengths grow (Pre-LN, Peri-LN).

Reference: arXiv 2504.14697 (Chen, Lin, Polyanskiy, Rigollet); 2510.22026 for the normalisations; times T_0 are ours.

Run: python worked_examples/synchronization.py [figure.png]     (60 s)
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gegenflow import numerics as nm
from gegenflow import theory as th

# Parameters
RATES = tuple((dim, beta, model) for model in ("usa", "sa") for beta in (0, 0.5, 1) for dim in (2, 3, 8))
STARTS = tuple((dim, beta, square) for dim in (2, 3, 8) for beta in (0, 1, 4) for square in (0.01, 0.25))
SCHEMES = ("post", "pre", "peri")
TOKENS, CLOSE = 2000, 0.05
FIGURE = Path(__file__).with_suffix(".png")


def cap(n, dim, rng):
    """Tokens about one pole, half a radian wide."""
    pole = np.eye(dim)[0]
    return nm.normalize(pole + 0.3 * np.random.default_rng(rng).standard_normal((n, dim)) / dim**0.5)


def decay(tokens, beta, model, t_end):
    """Times and W_2 to the Dirac at the mean direction."""
    run = nm.simulate(
        tokens,
        beta=beta,
        model=model,
        t_end=t_end,
        save_at=np.linspace(0, t_end, 201),
        rtol=1e-11,
        atol=1e-14,
        method="dense",
        observe=[nm.systems.DiracDistance()],
    )
    return run.t, run.observables["dirac_distance"]


def late_rate(times, distance):
    """Rate between the distances 1e-4 and 1e-7."""
    late = (distance < 1e-4) & (distance > 1e-7)
    return -np.polyfit(times[late], np.log(distance[late]), 1)[0]


def tilted(n, dim, square, rng):
    """Tokens of the density proportional to exp(kappa t) whose mean has the given square, and random about its axis."""
    height = np.linspace(-1, 1, 20_001)[1:-1]
    log_weight = (dim - 3) / 2 * np.log(1 - height**2)

    def mean(kappa):
        weight = np.exp(log_weight + kappa * (height - 1))
        return weight @ height / weight.sum()

    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) < square**0.5 else (low, middle)
    labels = np.cumsum(np.exp(log_weight + low * (height - 1)))
    rng = np.random.default_rng(rng)
    t = np.interp(rng.random(n), labels / labels[-1], height)
    side = nm.normalize(rng.standard_normal((n, dim - 1))) if dim > 2 else rng.choice([-1.0, 1.0], (n, 1))
    return nm.normalize(np.column_stack([t, np.sqrt(1 - t**2)[:, None] * side]))


def entrance(dim, beta, square):
    """The observed rate, the time from which it holds, and the share of tokens in the heaviest cluster at the end."""
    rate = np.exp(beta)
    t_end = 60 / rate
    run = nm.simulate(
        tilted(TOKENS, dim, square, rng=1),
        beta=beta,
        t_end=t_end,
        save_at=np.linspace(0, t_end, 401),
        rtol=1e-9,
        atol=1e-11,
        observe=[nm.systems.DiracDistance()],
    )
    distance = run.observables["dirac_distance"]
    labels = nm.cluster_labels(run.tokens, angle=0.1)
    heaviest = np.bincount(labels[labels >= 0]).max() / TOKENS
    if distance[-1] > 1e-8:
        return run.t, distance, np.nan, np.nan, heaviest
    good = distance > 1e-6
    local = -np.gradient(np.log(distance[good]), run.t[good])
    outside = np.flatnonzero(np.abs(local / rate - 1) > CLOSE)
    return run.t, distance, late_rate(run.t, distance), run.t[outside[-1] + 1] if outside.size else 0.0, heaviest


def schemes(n, beta, t_end):
    """Times and gaps 1 - g of n orthogonal tokens under each normalisation."""
    times = np.geomspace(0.1, t_end, 60)
    for scheme in SCHEMES:
        run = nm.simulate(
            np.eye(n),
            beta=beta,
            model="sa",
            layer_norm=scheme,
            t_end=t_end,
            save_at=times,
            rtol=1e-11,
            atol=1e-14,
            observe=[nm.systems.SmallestOverlap()],
        )
        yield scheme, times, 1 - run.observables["smallest_overlap"]


def main(quick=False, figure=FIGURE):
    """The three panels; returns the two tables that it prints."""
    fig, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    rates, entrances = [], []
    for dim, beta, model in RATES[::4] if quick else RATES:
        predicted = float(th.synchronization.dirac_rate(str(beta), model=model, digits=12))
        times, distance = decay(cap(200, dim, 0), beta, model, 20 / predicted)
        axes[0].plot(times * predicted, distance, f"C{int(2 * beta)}", lw=0.8, ls="-" if model == "usa" else "--")
        measured = late_rate(times, distance)
        rates.append(
            {
                "model": model,
                "dim": dim,
                "beta": beta,
                "predicted": f"{predicted:.6f}",
                "measured": f"{measured:.6f}",
                "off by": f"{abs(measured / predicted - 1):.1e}",
            }
        )
    axes[0].plot([0, 18], [0.3, 0.3 * np.exp(-18)], "k:", lw=1, label="rate 1")
    axes[0].set(yscale="log", xlabel="time x rate", ylabel="W_2 to the Dirac", title="caps", ylim=(1e-9, 1))
    axes[0].legend()
    for dim, beta, square in STARTS[::5] if quick else STARTS:
        times, distance, rate, since, heaviest = entrance(dim, beta, square)
        axes[1].plot(times * np.exp(beta), distance, f"C{(2, 3, 8).index(dim)}", lw=0.8)
        entrances.append(
            {
                "dim": dim,
                "beta": beta,
                "R_0": square,
                "theorem": "0.01",
                "rate": "-" if np.isnan(rate) else f"{rate:.4f}",
                "of e^beta": "-" if np.isnan(rate) else f"{rate / np.exp(beta):.4f}",
                "from T_0": "-" if np.isnan(since) else f"{since:.3f}",
                "heaviest": f"{heaviest:.3f}",
            }
        )
    axes[1].set(yscale="log", xlabel="time x e^beta", title="from densities, USA", ylim=(1e-9, 4))
    for scheme, times, gap in schemes(8, 1, 100.0 if quick else 300.0):
        axes[2].loglog(times, gap, label=f"{scheme}-LN")
    axes[2].loglog([30, 300], [20 / 30**2, 20 / 300**2], "k:", label="t^-2")
    axes[2].set(xlabel="time", ylabel="1 - g", title="orthogonal start, beta 1, SA", ylim=(1e-8, 2))
    axes[2].legend()
    fig.savefig(figure, dpi=110)
    plt.close(fig)
    tables = th.Table(tuple(rates)), th.Table(tuple(entrances))
    print(*tables, f"figure in {figure}", sep="\n\n")
    return tables


if __name__ == "__main__":
    main(figure=Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE)
