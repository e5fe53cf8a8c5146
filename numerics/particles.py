"""One entry point to follow tokens under attention."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version as installed_version
from secrets import randbits
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.attention import Attention, Kernel, check_model, kernel_name
from gegenflow.numerics.circle import circle_points
from gegenflow.numerics.few_tokens import integrate_few
from gegenflow.numerics.fields import HARMONICS, Field, check_method, prepare_field
from gegenflow.numerics.geometry import Array, check_tokens, check_weights
from gegenflow.numerics.integrate import (
    SMALLEST_RTOL,
    Integration,
    Status,
    check_numbers,
    check_steps,
    check_times,
    integrate,
)
from gegenflow.numerics.merging import Merging, check_merge, integrate_merging
from gegenflow.numerics.observables import Observable
from gegenflow.numerics.runs import Run
from gegenflow.numerics.stochastic import default_step, integrate_noisy

MOST_TRACKED = 256
MOST_TRACKED_NUMBERS = 4_000_000
CHOSEN = 10  # tolerances of a step that the error of the sums may add up to where they are chosen, ...
ADDED_UP = 100  # ... and from which on the status says so
CHOSEN_WITH_NOISE = 1e-6  # the same in place of tolerances, which noise has none of
FEW = 200  # tokens up to which one compiled loop is faster: measured 1.5 times at 200, 0.9 at 400
COARSE = 1e-5  # tolerance from which steps of order 5 take fewer evaluations than those of order 8
TIGHTER = 0.01  # tolerances of the second run that measures the error, relative to the first


def simulate(
    tokens: ArrayLike,
    *,
    beta: float | None = None,
    kernel: Kernel | None = None,
    form: ArrayLike | None = None,
    noise: float = 0.0,
    model: str = "usa",
    t_end: float,
    weights: ArrayLike | None = None,
    method: str = "auto",
    merge: float | None = None,
    observe: Sequence[Observable] = (),
    rtol: float = 1e-8,
    atol: float = 1e-10,
    order: int | None = None,
    first_step: float | None = None,
    step: float | None = None,
    save_at: ArrayLike | None = None,
    rng: int | np.random.Generator | None = None,
    estimate_error: bool = False,
    progress: bool = False,
) -> Run:
    r"""Follow tokens under attention from t = 0 to ``t_end`` and record observables on the way.

    .. math:: dx_i = v_i\,dt + \sqrt{2\nu}\,dW_i, \qquad
              v_i = P_{x_i} \sum_j w_j h(s_{ij}) x_j \ \text{(USA)},
              \quad \text{divided by } Z_i = \sum_j w_j h(s_{ij}) \ \text{(SA)},
              \qquad s_{ij} = \langle x_i, B x_j\rangle

    Main arguments: ``tokens`` shape=[n, dim] unit rows; ``beta`` for the attention weight :math:`h = e^{\beta t}`, or
    ``kernel`` for any other, a function that maps an array of overlaps t to finite h(t); ``form`` B, shape=[dim, dim],
    such as :math:`Q^T K`, the identity by default; ``noise`` :math:`\nu = 1/\kappa \ge 0`, under which degree k decays
    at :math:`\nu k(k+d-2)`; ``observe`` observables recorded at each time of ``save_at`` (sorted, within [0, t_end],
    default 101 equispaced).

    Accuracy: ``rtol`` + ``atol`` bounds the root mean square over tokens of the error of a step, to be set 10 to 1000
    times below the error wanted, and below the size of any small perturbation that matters. ``method`` "dense" gives
    forces accurate relative to themselves, in any dim; "circle" and, for many tokens, "cells" in dim 2, "sphere" in dim
    3 and "tiles" in any dim are accurate relative to the largest force; "auto" takes the fastest whose error moves no
    token further than ten times ``rtol`` + ``atol`` by ``t_end``, hence "dense" for motion so slow that exponentially
    small forces matter. The run's ``field_error`` says how far the sums may have moved a token, and its ``status`` if
    that is beyond a hundred; ``estimate_error`` runs a second time at a hundredth of the tolerances (``rtol`` at least
    1e-13, and at least ten times tighter in all) and puts the largest distance at the end in ``error``.

    Other arguments: ``merge``, the distance, at most a tenth of ``rtol`` + ``atol``, below which contracting tokens go
    on as one cluster, for times like :math:`e^{100}` between clusters, which plain steps would never reach, see
    :func:`gegenflow.numerics.merging.integrate_merging`; ``weights`` shape=[n] positive with sum one, default 1/n;
    ``order`` 5 or 8 of the steps, by default 5 for tolerances above 1e-5 and over 200 tokens; ``first_step`` is the
    step tried first; ``rng`` only records in ``parameters`` how the start was drawn. With noise the steps are fixed and
    of weak order 2, at most ``step``, by default :func:`gegenflow.numerics.stochastic.default_step`; the Brownian
    motions come from a stream spawned by ``rng``, so that a start drawn with the same integer is independent of them;
    without ``rng`` a fresh seed is drawn and recorded. ``progress`` shows a bar on a terminal.

    Two tokens on the circle 2 radians apart approach each other: for ``beta`` = 0 their difference obeys
    :math:`\dot\delta = -\sin\delta`, so that :math:`\tan(\delta/2)` decays as :math:`e^{-t}`:

    >>> run = simulate([[np.cos(1), np.sin(1)], [np.cos(1), -np.sin(1)]], beta=0.0, t_end=2.0, rtol=1e-12)
    >>> bool(np.isclose(run.tokens[0, 1] / run.tokens[0, 0], np.tan(1) * np.exp(-2.0), rtol=1e-9))
    True

    Raises ValueError for bad input; what goes wrong after the start is in ``status`` instead.  Source: arXiv
    2410.23228 for the models, 2604.16288 for the noise.
    """
    clock = perf_counter()
    optional = {"beta": beta, "merge": merge, "first_step": first_step, "step": step}
    given = {name: value for name, value in optional.items() if value is not None}
    check_numbers(t_end=t_end, rtol=rtol, atol=atol, noise=noise, **given)
    attention = check_model(beta, model, kernel)
    start = check_tokens(tokens)
    n, dim = start.shape
    masses = check_weights(weights, n)
    times = check_times(save_at, t_end)
    matrix = None if form is None else np.array(form, dtype=np.float64)
    check_method(method, dim, matrix)
    if order is None and not noise:
        order = 5 if n > FEW and rtol + atol > COARSE else 8
    _check_noise(noise, step, first_step=first_step, order=order, merge=merge, estimate_error=estimate_error or None)
    if not noise:
        check_steps(rtol, atol, order or 8, first_step, t_end)
    finer = max(TIGHTER * rtol, SMALLEST_RTOL), TIGHTER * atol
    if estimate_error and sum(finer) > 0.1 * (rtol + atol):
        raise ValueError(f"estimate_error needs rtol + atol >= 1e-12, but they are {rtol:g} + {atol:g}")
    _check_merge(merge, n, rtol + atol, attention, method, matrix, order)
    _check_observables(observe, matrix)
    tracked = max(1, min(n, MOST_TRACKED, MOST_TRACKED_NUMBERS // (dim * max(1, len(times)))))
    records: list[list[object]] = [[] for _ in observe]
    paths: list[Array] = []

    def record(_: float, x: Array) -> None:
        paths.append(x[:tracked].copy())
        for values, observable in zip(records, observe, strict=True):
            values.append(observable(x, masses, attention, model))

    rng = randbits(63) if noise and rng is None else rng
    step = default_step(noise, dim, model, attention) if noise and step is None else step
    what: dict[str, Any] = {"model": model, "form": matrix, "noise": noise, "t_end": t_end}
    steps: dict[str, Any] = {"order": order, "first_step": first_step, "step": step, "rng": rng}
    follow: Any = partial(_follow, start, masses, attention, **what, **steps)
    end, used, field_error = follow(method, rtol, atol, merge, save_at=times, on_save=record, progress=progress)
    seconds, error = perf_counter() - clock, None
    if estimate_error and end.status.ok:
        closer = None if merge is None else min(merge, 0.1 * sum(finer))
        second = follow(used, *finer, closer, save_at=[], progress=progress)[0]
        if second.status.ok:
            error = float(np.linalg.norm(end.tokens - second.tokens, axis=1).max())
        else:
            end = replace(end, status=Status(True, f"{end.status}; no error, as the second run {second.status}"))
    count = len(end.t)
    return Run(
        t=end.t,
        tokens=end.tokens,
        trajectories=np.array(paths[:count]).reshape(-1, tracked, dim),
        weights=masses,
        merges=np.column_stack([end.merged, end.remaining]) if isinstance(end, Merging) else np.empty((0, 2)),
        observables={o.name: np.array(values[:count]) for o, values in zip(observe, records, strict=True)},
        status=end.status,
        evaluations=end.evaluations,
        field_error=field_error,
        error=error,
        parameters={
            "beta": None if beta is None else float(beta),
            "kernel": None if kernel is None else kernel_name(kernel),
            "form": None if matrix is None else json.dumps(matrix.tolist()),
            "noise": float(noise),
            "model": model,
            "t_end": float(t_end),
            "method": used,
            **(
                {"step": step}
                if noise
                else {"rtol": float(rtol), "atol": float(atol), "order": int(order or 8), "merge": merge}
            ),
            "n": n,
            "dim": dim,
            "rng": rng if rng is None else int(rng) if isinstance(rng, int | np.integer) else str(rng),
        },
        version=installed_version("gegenflow"),
        seconds=seconds,
    )


def _follow(
    start: Array,
    weights: Array,
    attention: Attention,
    method: str,
    rtol: float,
    atol: float,
    merge: float | None,
    *,
    model: str,
    form: Array | None,
    noise: float,
    t_end: float,
    order: int,
    first_step: float | None,
    step: float,
    rng: int | np.random.Generator,
    **saving: Any,
) -> tuple[Integration | Merging, str, float | None]:
    """The end of a run, the method of its field, and how far the error of that may have moved a token."""
    tolerances: dict[str, Any] = {"rtol": rtol, "atol": atol, "t_end": t_end, "first_step": first_step}
    if not (noise or callable(attention) or form is not None) and method in ("auto", "dense"):
        options: dict[str, Any] = {"model": model, **tolerances, **saving}
        if merge is not None:
            return integrate_merging(start, weights, attention, merge=merge, **options), "dense", 0.0
        if len(start) <= FEW and order == 8:
            return integrate_few(start, weights, attention, **options), "dense", 0.0
    moved = CHOSEN_WITH_NOISE if noise else CHOSEN * (rtol + atol)
    accuracy = moved / t_end if t_end > 0 else 0.0
    field = prepare_field(start, weights, attention, model=model, method=method, accuracy=accuracy, form=form)
    if noise:
        stream = np.random.default_rng(rng).spawn(1)[0]
        return (
            integrate_noisy(field, start, noise=noise, step=step, rng=stream, t_end=t_end, **saving),
            field.method,
            None,
        )
    run = integrate if field.angle_sums is None else _integrate_angles
    end = run(field, start, order=order, **tolerances, **saving)
    if field.error == 0 or not end.status.ok:
        return end, field.method, 0.0 if field.error == 0 else None
    try:
        moved = end.reached * max(field.velocity_error(x) for x in (start, end.tokens))
    except (KeyboardInterrupt, FloatingPointError):
        return end, field.method, None
    if moved > ADDED_UP * (rtol + atol):
        what = f"the error of the {field.method} sums may have moved tokens by {moved:.1e}, beyond the tolerance"
        remedy = '; method="dense" is exact' if field.method in HARMONICS else ""
        end = replace(end, status=Status(False, f"{end.status}, but {what}{remedy}"))
    return end, field.method, moved


def _integrate_angles(
    field: Field, start: Array, *, on_save: Callable[[float, Array], object] = lambda t, x: None, **options: Any
) -> Integration:
    # In dim 2 half the memory, and no projection.
    def save(time: float, angles: Array) -> None:
        on_save(time, circle_points(angles))

    end = integrate(field, np.arctan2(start[:, 1], start[:, 0]), on_save=save, **options)
    return replace(end, tokens=circle_points(end.tokens))


def _check_noise(noise: float, step: float | None, **without_noise: object) -> None:
    given = [f"{name} is {value}" for name, value in without_noise.items() if value is not None]
    if noise and given:
        raise ValueError(f"{given[0]}: with noise the steps are fixed, step sets their size")
    if not noise and step is not None:
        raise ValueError(f"step is {step}: without noise the steps follow rtol and atol")


def _check_merge(
    merge: float | None,
    n: int,
    tolerance: float,
    attention: Attention,
    method: str,
    form: Array | None,
    order: int | None,
) -> None:
    if merge is None:
        return
    if callable(attention) or form is not None or method not in ("auto", "dense") or order == 5:
        raise ValueError(f'merge is {merge}: it needs beta, no kernel or form, method "dense" or "auto", and order 8')
    check_merge(merge, n, tolerance)


def _check_observables(observe: Sequence[Observable], form: Array | None) -> None:
    wrong = (
        [item for item in observe if isinstance(item, type) or not callable(item)]
        if isinstance(observe, Sequence)
        else observe
    )
    if wrong:
        raise ValueError(f"observe holds {wrong!r}: it must be a list of observables such as [Energy()]")
    names = [observable.name for observable in observe]
    if len(set(names)) < len(names):
        raise ValueError(f"observe holds two observables of one name: {', '.join(names)}")
    if form is not None and (energies := {"energy", "dissipation"} & {*names}):
        raise ValueError(f"observe holds the {energies.pop()}: with a form there is none that the flow ascends")
