"""One entry point to follow tokens under attention."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version as installed_version
from secrets import randbits
from time import perf_counter
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.fields.circle import circle_points
from gegenflow.numerics.fields.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.fields.method import METHODS, Field, check_method, prepare_field
from gegenflow.numerics.fields.weights import kernel_name
from gegenflow.numerics.integrators.adaptive import integrate
from gegenflow.numerics.integrators.driver import Integration, Status
from gegenflow.numerics.integrators.few_tokens import integrate_few
from gegenflow.numerics.integrators.merging import Merging, check_merge, integrate_merging
from gegenflow.numerics.integrators.normalization import check_radii, integrate_stream, stream_velocity, unit_rows
from gegenflow.numerics.integrators.stochastic import default_step, integrate_noisy
from gegenflow.numerics.observables.tokens import Observable
from gegenflow.numerics.runs.run import Run
from gegenflow.numerics.tokens.arguments import SMALLEST_RTOL, check_numbers, check_steps, check_times
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights, span_basis
from gegenflow.numerics.tokens.refusals import Refused

MOST_TRACKED = 256
MOST_TRACKED_NUMBERS = 4_000_000
CHOSEN = 10  # tolerances of a step that the error of the sums may add up to where they are chosen, ...
ADDED_UP = 100  # ... and from which on the status says so
CHOSEN_WITH_NOISE = 1e-6  # the same in place of tolerances, which noise has none of
FEW = 200  # tokens up to which one compiled loop is faster: measured 1.5 times at 200, 0.9 at 400
COARSE = 1e-5  # tolerance from which steps of order 5 take fewer evaluations than those of order 8
TIGHTER = 0.01  # tolerances of the second run that measures the error, relative to the first
WIDE = 4  # dims per token from which tokens are followed in the space that they span: measured 2 times faster there


def simulate(
    tokens: ArrayLike,
    flow: Flow | None = None,
    *,
    t_end: float,
    radii: ArrayLike | None = None,
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
    **short: Unpack[FlowParts],
) -> Run:
    r"""Follow tokens under attention from t = 0 to ``t_end`` and record observables on the way.

    .. math:: dx_i = v_i\,dt + \sqrt{2\nu}\,dW_i, \qquad
              v_i = P_{x_i} \sum_j w_j h(s_{ij}) V x_j \ \text{(USA)},
              \quad \text{divided by } Z_i = \sum_j w_j h(s_{ij}) \ \text{(SA)},
              \qquad s_{ij} = \langle x_i, B x_j\rangle

    Main arguments: ``tokens`` shape=[n, dim] unit rows; ``flow`` a :class:`gegenflow.numerics.Flow`, with a weight h, a
    model, matrices B and V, noise :math:`\nu` and a layer norm, or these parts as keywords; ``observe`` observables
    recorded at each time of ``save_at`` (sorted, within [0, t_end], default 101 equispaced).

    With ``layer_norm`` "pre" or "peri" tokens have lengths, from ``radii`` shape=[n] on, one by default.  The run has
    the lengths at the end in ``radii`` and those of the tracked tokens at every saved time, shape=[times, tracked],
    among its observables as "radii".

    Accuracy: ``rtol`` + ``atol`` bounds the root mean square over tokens of the error of a step, to be set 10 to 1000
    times below the error wanted, and below the size of any small perturbation that matters. ``method`` "dense" gives
    forces accurate relative to themselves, in any dim; "circle" and, for many tokens, "cells" in dim 2, "sphere" in dim
    3 and "tiles" in any dim are accurate relative to the largest force; "auto" takes the fastest whose error moves no
    token further than ten times ``rtol`` + ``atol`` by ``t_end``, hence "dense" for motion so slow that exponentially
    small forces matter. The run's ``field_error`` says how far the sums may have moved a token, and its ``status`` if
    that is beyond a hundred; ``estimate_error`` runs a second time at a hundredth of the tolerances (``rtol`` at least
    1e-13, and at least ten times tighter in all) and puts the largest distance at the end in ``error``.

    Without noise and matrices, tokens in a dim at least four times their number are followed in the space that they
    span, unless ``method`` is bound to a dim.

    Other arguments: ``merge``, the distance, at most a tenth of ``rtol`` + ``atol``, below which contracting tokens go
    on as one cluster, for times like :math:`e^{100}` between clusters, which plain steps would never reach, see
    :func:`gegenflow.numerics.integrators.merging.integrate_merging`; ``weights`` shape=[n] positive with sum one,
    default 1/n; ``order`` 5 or 8 of the steps, by default 5 for tolerances above 1e-5 and over 200 tokens;
    ``first_step`` is the step tried first; ``rng`` only records in ``parameters`` how the start was drawn. With noise
    the steps are fixed and of weak order 2, at most ``step``, by default
    :func:`gegenflow.numerics.integrators.stochastic.default_step`; the Brownian motions come from a stream spawned by
    ``rng``, so that a start drawn with the same integer is independent of them; without ``rng`` a fresh seed is drawn
    and recorded. ``progress`` shows a bar on a terminal.

    Two tokens on the circle 2 radians apart approach each other: for ``beta`` = 0 their difference obeys
    :math:`\dot\delta = -\sin\delta`, so that :math:`\tan(\delta/2)` decays as :math:`e^{-t}`:

    >>> run = simulate([[np.cos(1), np.sin(1)], [np.cos(1), -np.sin(1)]], beta=0.0, t_end=2.0, rtol=1e-12)
    >>> bool(np.isclose(run.tokens[0, 1] / run.tokens[0, 0], np.tan(1) * np.exp(-2.0), rtol=1e-9))
    True

    Raises ValueError for bad input; what goes wrong after the start is in ``status`` instead.  Source: arXiv
    2410.23228 for the models, 2312.10794 for the matrices, 2604.16288 for the noise, 2510.22026 for the layer norms.
    """
    clock = perf_counter()
    flow = flow_of(flow, short)
    check_parts(flow, "simulate", "query_key", "value", "noise", "layer_norm")
    noise, streaming = flow.noise, flow.layer_norm != "post"
    check_numbers({"merge": merge, "first_step": first_step, "step": step}, t_end=t_end, rtol=rtol, atol=atol)
    start = check_tokens(tokens)
    n, dim = start.shape
    masses = check_weights(weights, n)
    times = check_times(save_at, t_end)
    lengths = check_radii(radii, n, flow.layer_norm)
    check_method(method, dim, flow)
    if order is None and not noise:
        order = 5 if n > FEW and rtol + atol > COARSE else 8
    _check_noise(noise, step, first_step=first_step, order=order, merge=merge, estimate_error=estimate_error or None)
    if not noise:
        check_steps(rtol, atol, order or 8, first_step, t_end)
    finer = max(TIGHTER * rtol, SMALLEST_RTOL), TIGHTER * atol
    if estimate_error and sum(finer) > 0.1 * (rtol + atol):
        raise Refused("estimate_error", None, f"it needs rtol + atol >= 1e-12, but they are {rtol:g} + {atol:g}")
    _check_layer_norm(flow, merge, method)
    _check_merge(merge, n, rtol + atol, flow, method, order)
    _check_observables(observe, flow)
    tracked = max(1, min(n, MOST_TRACKED, MOST_TRACKED_NUMBERS // (dim * max(1, len(times)))))
    records: dict[str, list[object]] = {"radii": []} if streaming else {}
    records |= {observable.name: [] for observable in observe}
    paths: list[Array] = []
    basis = (
        span_basis(start)
        if flow.plain and not noise and not (method in METHODS and METHODS[method].dims) and dim >= WIDE * max(n, 2)
        else None
    )

    def split(x: Array) -> tuple[Array, Array]:
        return unit_rows(x) if streaming else (x, np.ones(n))

    def whole(rows: Array) -> Array:
        return rows if basis is None else rows @ basis.T

    def record(_: float, x: Array) -> None:
        rows, lengths = split(x)
        paths.append(rows[:tracked].copy())
        if streaming:
            records["radii"].append(lengths[:tracked])
        if observe:
            rows = whole(rows)
        for observable in observe:
            records[observable.name].append(observable(rows, masses, flow))

    rng = randbits(63) if noise and rng is None else rng
    step = default_step(flow, dim) if noise and step is None else step
    steps: dict[str, Any] = {"order": order, "first_step": first_step, "step": step, "rng": rng, "t_end": t_end}
    first = lengths[:, None] * (start if basis is None else start @ basis)
    follow: Any = partial(_follow, first, masses, flow, **steps)
    end, used, field_error = follow(method, rtol, atol, merge, save_at=times, on_save=record, progress=progress)
    seconds, error = perf_counter() - clock, None
    if estimate_error and end.status.ok:
        closer = None if merge is None else min(merge, 0.1 * sum(finer))
        second = follow(used, *finer, closer, save_at=[], progress=progress)[0]
        if second.status.ok:
            error = float(np.linalg.norm(split(end.tokens)[0] - split(second.tokens)[0], axis=1).max())
        else:
            end = replace(end, status=Status(True, f"{end.status}; no error, as the second run {second.status}"))
    count = len(end.t)
    last, lengths = split(end.tokens)
    return Run(
        t=end.t,
        tokens=whole(last),
        radii=lengths,
        trajectories=whole(np.array(paths[:count]).reshape(-1, last.shape[1])).reshape(-1, tracked, dim),
        weights=masses,
        merges=np.column_stack([end.merged, end.remaining]) if isinstance(end, Merging) else np.empty((0, 2)),
        observables={name: np.array(recorded[:count]) for name, recorded in records.items()},
        status=end.status,
        evaluations=end.evaluations,
        field_error=field_error,
        error=error,
        parameters={
            "beta": flow.beta,
            "kernel": None if flow.kernel is None else kernel_name(flow.kernel),
            "query_key": flow.query_key,
            "value": flow.value,
            "noise": flow.noise,
            "model": flow.model,
            "layer_norm": flow.layer_norm,
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
        flow=flow,
    )


def _follow(
    start: Array,
    weights: Array,
    flow: Flow,
    method: str,
    rtol: float,
    atol: float,
    merge: float | None,
    *,
    t_end: float,
    order: int,
    first_step: float | None,
    step: float,
    rng: int | np.random.Generator,
    **saving: Any,
) -> tuple[Integration | Merging, str, float | None]:
    """The end of a run, the method of its field, and how far the error of that may have moved a token."""
    tolerances: dict[str, Any] = {"rtol": rtol, "atol": atol, "t_end": t_end, "first_step": first_step}
    noise, streaming = flow.noise, flow.layer_norm != "post"
    if not noise and flow.beta is not None and flow.plain and not streaming and method in ("auto", "dense"):
        options: dict[str, Any] = {"model": flow.model, **tolerances, **saving}
        if merge is not None:
            return integrate_merging(start, weights, flow.beta, merge=merge, **options), "dense", 0.0
        if len(start) <= FEW and order == 8:
            return integrate_few(start, weights, flow.beta, **options), "dense", 0.0
    moved = CHOSEN_WITH_NOISE if noise else CHOSEN * (rtol + atol)
    accuracy = moved / t_end if t_end > 0 else 0.0
    field = prepare_field(start, weights, flow, method=method, accuracy=accuracy)
    if noise:
        stream = np.random.default_rng(rng).spawn(1)[0]
        return (
            integrate_noisy(field, start, noise=noise, step=step, rng=stream, t_end=t_end, **saving),
            field.method,
            None,
        )
    if streaming:
        end = integrate_stream(stream_velocity(weights, flow), start, order=order, **tolerances, **saving)
    else:
        run = integrate if field.angle_sums is None else _integrate_angles
        end = run(field, start, order=order, **tolerances, **saving)
    if field.error == 0 or not end.status.ok:
        return end, field.method, 0.0 if field.error == 0 else None
    try:
        moved = end.reached * max(field.velocity_error(x) for x in (unit_rows(start)[0], unit_rows(end.tokens)[0]))
    except (KeyboardInterrupt, FloatingPointError):
        return end, field.method, None
    if moved > ADDED_UP * (rtol + atol):
        what = f"the error of the {field.method} sums may have moved tokens by {moved:.1e}, beyond the tolerance"
        remedy = '; method="dense" is exact' if METHODS[field.method].series else ""
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
    given = [(name, value) for name, value in without_noise.items() if value is not None]
    if noise and given:
        raise Refused(*given[0], "with noise the steps are fixed, step sets their size")
    if not noise and step is not None:
        raise Refused("step", step, "without noise the steps follow rtol and atol")


def _check_layer_norm(flow: Flow, merge: float | None, method: str) -> None:
    given = (
        ("noise", flow.noise or None),
        ("merge", merge),
        ("method", None if method in ("auto", "dense") else method),
    )
    for name, value in given if flow.layer_norm != "post" else ():
        if value is not None:
            what = f'layer_norm "{flow.layer_norm}" goes with dense sums, without noise or merge'
            raise Refused(name, value, what)


def _check_merge(
    merge: float | None,
    n: int,
    tolerance: float,
    flow: Flow,
    method: str,
    order: int | None,
) -> None:
    if merge is None:
        return
    if flow.beta is None or not flow.plain or method not in ("auto", "dense") or order == 5:
        what = 'it needs beta, no kernel or query_key or value, method "dense" or "auto", and order 8'
        raise Refused("merge", merge, what)
    if flow.beta < 0:
        raise Refused("merge", merge, f"it needs beta >= 0, but beta is {flow.beta:g}")
    check_merge(merge, n, tolerance)


def _check_observables(observe: Sequence[Observable], flow: Flow) -> None:
    wrong = (
        [item for item in observe if isinstance(item, type) or not callable(item)]
        if isinstance(observe, Sequence)
        else observe
    )
    if wrong:
        raise Refused("observe", repr(wrong), "it must be a list of observables such as [Energy()]")
    names = [observable.name for observable in observe]
    if len(set(names)) < len(names):
        raise Refused("observe", ", ".join(names), "two of them have one name")
    for observable in observe:
        getattr(observable, "check", lambda flow: None)(flow)
    if flow.layer_norm != "post" and "radii" in names:
        raise Refused("observe", "radii", f'the run with layer_norm "{flow.layer_norm}" has one of this name already')
