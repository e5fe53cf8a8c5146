"""One entry point to follow tokens under attention, and the run it returns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from secrets import randbits
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.attention import Kernel, check_model, kernel_name, velocity
from gegenflow.numerics.fields import attention_sums, choose_method
from gegenflow.numerics.geometry import Array, check_tokens, check_weights
from gegenflow.numerics.integrate import Status, check_times, integrate
from gegenflow.numerics.observables import Observable
from gegenflow.numerics.stochastic import default_step, integrate_noisy

MOST_TRACKED = 256
MOST_TRACKED_NUMBERS = 4_000_000
ARRAYS = ("t", "tokens", "trajectories", "weights")
OBSERVABLE = "observable:"

Parameter = str | int | float | None


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """Result of :func:`simulate`; prints as a table.

    ``t`` shape=[times] are the saved times that were reached; ``tokens`` shape=[n, dim] the last state, at
    the end time if ``status.ok``; ``observables`` maps names to arrays shape=[times, ...]; ``trajectories``
    shape=[times, tracked, dim] follow the first tokens; ``weights`` shape=[n]; ``evaluations`` of the field.
    """

    t: Array
    tokens: Array
    trajectories: Array
    weights: Array
    observables: Mapping[str, NDArray[Any]]
    status: Status
    evaluations: int
    parameters: Mapping[str, Parameter]
    version: str
    seconds: float

    def __repr__(self) -> str:
        facts = self.parameters
        weight = f"kernel {facts['kernel']}" if facts.get("kernel") else f"beta {facts['beta']}"
        weight += f", noise {facts['noise']:g}" if facts.get("noise") else ""
        head = "{n} tokens, dim {dim}, {weight}, model {model}, {method} field".format(weight=weight, **facts)
        rows = {"status": self.status, "cost": f"{self.evaluations} evaluations, {self.seconds:.3g} s"}
        if len(self.t):
            rows["saved times"] = f"{len(self.t)} from {self.t[0]:g} to {self.t[-1]:g}"
            rows |= {name: _summary(values) for name, values in self.observables.items()}
        return "\n".join([f"Run: {head}", *(f"  {name:<20}{row}" for name, row in rows.items())])

    def save(self, path: str | Path) -> None:
        """Write the run to exactly this path, an npz archive without pickle; :func:`load` reads it back."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        arrays |= {OBSERVABLE + name: values for name, values in self.observables.items()}
        facts = {
            "status": asdict(self.status),
            "evaluations": self.evaluations,
            "parameters": dict(self.parameters),
            "version": self.version,
            "seconds": self.seconds,
        }
        with open(path, "wb") as file:
            np.savez_compressed(file, facts=json.dumps(facts), **arrays)


def load(path: str | Path) -> Run:
    """Read a run that :meth:`Run.save` wrote.

    Raises ValueError for a file that holds no run.
    """
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ValueError(f"{path} is not a saved run: it is no npz archive")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            if missing := {*ARRAYS, "facts"} - {*archive.files}:
                raise ValueError(f"{path} is not a saved run: it lacks {', '.join(sorted(missing))}")
            facts = json.loads(str(archive["facts"]))
            observables = {
                key.removeprefix(OBSERVABLE): archive[key] for key in archive.files if key.startswith(OBSERVABLE)
            }
            arrays = {name: archive[name] for name in ARRAYS}
    status = Status(**facts.pop("status"))
    return Run(**arrays, observables=observables, status=status, **facts)


def simulate(
    tokens: ArrayLike,
    *,
    beta: float | None = None,
    kernel: Kernel | None = None,
    noise: float = 0.0,
    model: str = "usa",
    t_end: float,
    weights: ArrayLike | None = None,
    method: str = "auto",
    observe: Sequence[Observable] = (),
    rtol: float = 1e-8,
    atol: float = 1e-10,
    first_step: float | None = None,
    step: float | None = None,
    save_at: ArrayLike | None = None,
    rng: int | np.random.Generator | None = None,
    progress: bool = False,
) -> Run:
    r"""Follow tokens under attention from t = 0 to ``t_end`` and record observables on the way.

    .. math:: dx_i = v_i\,dt + \sqrt{2\nu}\,dW_i, \qquad
              v_i = P_{x_i} \sum_j w_j h(\langle x_i, x_j\rangle) x_j \ \text{(USA)},
              \quad \text{divided by } Z_i = \sum_j w_j h(\langle x_i, x_j\rangle) \ \text{(SA)}

    Main arguments: ``tokens`` shape=[n, dim] unit rows; ``beta`` for the attention weight :math:`h = e^{\beta t}`, or
    ``kernel`` for any other, a function that maps an array of overlaps t to finite h(t); ``noise``
    :math:`\nu = 1/\kappa \ge 0`, under which degree k decays at :math:`\nu k(k+d-2)`; ``observe`` observables recorded
    at each time of ``save_at`` (sorted, within [0, t_end], default 101 equispaced).

    Other arguments: ``weights`` shape=[n] positive with sum one, default 1/n; ``method`` "dense" (any dim, forces
    accurate relative to themselves: use it for slow motion between clusters), one that is accurate relative to the
    largest force ("circle" and, for many tokens, "cells" in dim 2, "sphere" in dim 3, "tiles" in any dim) or "auto",
    the fastest; a ``kernel`` is always dense. Without noise ``rtol`` and ``atol`` are tolerances a step, to be set 10
    to 1000 times below the error wanted, and below the size of any small perturbation that matters; ``first_step`` is
    the step tried first, chosen by scipy unless given; ``rng`` only records in ``parameters`` how the start was drawn.
    With noise the steps are fixed and of weak order 2, at most ``step``, by default
    :func:`gegenflow.numerics.stochastic.default_step`; the Brownian motions come from a stream spawned by ``rng``, so
    that a start drawn with the same integer is independent of them; without ``rng`` a fresh seed is drawn and
    recorded. ``progress`` shows a bar on a terminal.

    Two tokens on the circle a turn apart of 2 radians merge: for ``beta`` = 0 their difference obeys
    :math:`\dot\delta = -\sin\delta`, so that :math:`\tan(\delta/2)` decays as :math:`e^{-t}`:

    >>> run = simulate([[np.cos(1), np.sin(1)], [np.cos(1), -np.sin(1)]], beta=0.0, t_end=2.0, rtol=1e-12)
    >>> bool(np.isclose(run.tokens[0, 1] / run.tokens[0, 0], np.tan(1) * np.exp(-2.0), rtol=1e-9))
    True

    Raises ValueError for bad input; what goes wrong after the start is in ``status`` instead.  Source: arXiv
    2410.23228 for the models, 2604.16288 for the noise.
    """
    attention = check_model(beta, model, kernel)
    tokens = check_tokens(tokens)
    n, dim = tokens.shape
    weights = check_weights(weights, n)
    times = check_times(save_at, t_end)
    method = choose_method(method, n, dim, attention)
    if noise and first_step is not None:
        raise ValueError(f"first_step is {first_step}: with noise the steps are fixed, step sets their size")
    if not noise and step is not None:
        raise ValueError(f"step is {step}: without noise the steps follow rtol and atol")
    names = [observable.name for observable in observe]
    if len(set(names)) < len(names):
        raise ValueError(f"observe holds two observables of one name: {', '.join(names)}")
    tracked = max(1, min(n, MOST_TRACKED, MOST_TRACKED_NUMBERS // (dim * max(1, len(times)))))
    records: list[list[object]] = [[] for _ in observe]
    paths: list[Array] = []

    def field(x: Array) -> Array:
        return velocity(*attention_sums(x, weights, attention, method), attention, model)

    def record(_: float, x: Array) -> None:
        paths.append(x[:tracked].copy())
        for values, observable in zip(records, observe, strict=True):
            values.append(observable(x, weights, attention, model))

    clock = perf_counter()
    common: dict[str, Any] = {"t_end": t_end, "save_at": times, "on_save": record, "progress": progress}
    if noise:
        rng = randbits(63) if rng is None else rng
        step = default_step(noise, dim, model, attention) if step is None else step
        accuracy: dict[str, Parameter] = {"step": step}
        stream = np.random.default_rng(rng).spawn(1)[0]
        end = integrate_noisy(field, tokens, noise=noise, step=step, rng=stream, **common)
    else:
        accuracy = {"rtol": rtol, "atol": atol}
        end = integrate(field, tokens, rtol=rtol, atol=atol, first_step=first_step, **common)
    count = len(end.t)
    return Run(
        t=end.t,
        tokens=end.tokens,
        trajectories=np.array(paths[:count]).reshape(-1, tracked, dim),
        weights=weights,
        observables={name: np.array(values[:count]) for name, values in zip(names, records, strict=True)},
        status=end.status,
        evaluations=end.evaluations,
        parameters={
            "beta": None if beta is None else float(beta),
            "kernel": None if kernel is None else kernel_name(kernel),
            "noise": float(noise),
            "model": model,
            "t_end": float(t_end),
            "method": method,
            **accuracy,
            "n": n,
            "dim": dim,
            "rng": str(rng) if isinstance(rng, np.random.Generator) else rng,
        },
        version=installed_version("gegenflow"),
        seconds=perf_counter() - clock,
    )


def _summary(values: NDArray[Any]) -> str:
    if values.ndim == 1:
        return f"{values[0]:.6g} -> {values[-1]:.6g}"
    return f"shape {values.shape}"
