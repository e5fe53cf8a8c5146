"""One entry point to follow tokens under attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.integrators.normalization import check_radii
from gegenflow.numerics.observables.texts import observables_of
from gegenflow.numerics.observables.tokens import Observable
from gegenflow.numerics.runs.following import farthest, follow, measured
from gegenflow.numerics.runs.motion import Start
from gegenflow.numerics.runs.run import Run
from gegenflow.numerics.runs.settings import Crossings, Look, check_look, check_settings, check_track
from gegenflow.numerics.tokens.arguments import check_times
from gegenflow.numerics.tokens.compiling import in_threads
from gegenflow.numerics.tokens.files import checked_path
from gegenflow.numerics.tokens.geometry import check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused


def simulate(
    tokens: ArrayLike,
    flow: Flow | None = None,
    *,
    t_end: float,
    radii: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    method: str = "auto",
    merge: float | None = None,
    observe: Sequence[Observable] | str = (),
    stop_when: Crossings = (),
    record_when: Crossings = (),
    rtol: float | None = None,
    atol: float | None = None,
    order: int | None = None,
    first_step: float | None = None,
    step: float | None = None,
    save_at: ArrayLike | None = None,
    track: int | ArrayLike | None = None,
    rng: int | np.random.Generator | None = None,
    n: int | None = None,
    dim: int | None = None,
    threads: int | None = None,
    estimate_error: bool = False,
    checkpoint: str | Path | None = None,
    every: float = 600.0,
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

    Accuracy: ``rtol`` + ``atol``, by default 1e-8 and 1e-10, bounds the root mean square over tokens of the error of a
    step, to be set 10 to 1000 times below the error wanted, and below the size of any small perturbation that matters.
    ``method`` "dense" gives forces accurate relative to themselves, in any dim; "circle" and, for many tokens, "cells"
    in dim 2, "sphere" in dim 3 and "tiles" in any dim are accurate relative to the largest force; "auto" takes the
    fastest whose error moves no token further than ten times ``rtol`` + ``atol`` by ``t_end``, hence "dense" for motion
    so slow that exponentially small forces matter. The run's ``field_error`` says how far the sums may have moved a
    token, and its ``status`` if that is beyond a hundred; ``estimate_error`` runs a second time at a hundredth of the
    tolerances (``rtol`` at least 1e-13, and at least ten times tighter in all) and puts the largest distance of a
    token, with its length, at the end into ``error``.

    Without noise and matrices, tokens in a dim at least four times their number are followed in the space that they
    span, unless ``method`` is bound to a dim.

    Events: ``stop_when`` ends the run, with ``status.ok``, and ``record_when`` goes on, where a
    :class:`gegenflow.numerics.Crossing` happens, or any of a list of them; ``events`` of the run are arrays over events
    ("time", "which" of them, those of ``stop_when`` first, "value", "rising", and "state", the tracked tokens).  They
    are located inside the step, to rounding; what comes back within one step is not seen.

    With noise the steps are fixed and of weak order 2, on the grid k h, h = ``step``, by default
    :func:`gegenflow.numerics.integrators.stochastic.default_step`, at most 1e8 of them; ``rtol`` and ``atol`` have no
    meaning there.  States between steps are right in law and change no later one, see
    :class:`gegenflow.numerics.integrators.stochastic.NoisySteps`: another ``save_at`` is the same realisation.  The
    Brownian motions come from a stream spawned by ``rng``, so that a start drawn with the same integer is independent
    of them; without ``rng`` a fresh seed is drawn and recorded.  Through random layers a step is a layer, 1/L, and in
    their limit, of weak order 1, that of :func:`gegenflow.numerics.integrators.layers.fixed_step`; a state between two
    layers is that before the second.

    Other arguments: ``merge``, the distance, at most a tenth of ``rtol`` + ``atol``, at which contracting tokens go
    on as one cluster, for times like :math:`e^{100}` between clusters, which plain steps would never reach, for
    exponential weights and heads that are multiples of them, see
    :class:`gegenflow.numerics.integrators.merging.MergingSteps`; ``weights`` shape=[n] positive with sum one, default
    1/n; ``order`` 5 or 8 of the steps, by default 5 for tolerances above 1e-5 and over 200 tokens; ``first_step`` is
    the step tried first; ``rng`` without noise only records in ``parameters`` how the start was drawn; ``track``
    tokens, so many, evenly spaced, or these indices, have their paths kept in ``trajectories``, at most 256 by default;
    ``checkpoint`` is a file to which the run saves itself, whole or not at all, whenever ``every`` seconds have passed,
    and at its end; ``progress`` shows a bar on a terminal or in a notebook.  ``run.extend(t_end)`` goes on.  The
    ``parameters`` of a run are arguments, too: ``simulate(tokens, **run.parameters)`` is that run again, to the last
    bit; ``n`` and ``dim`` among them must be those of the tokens, and ``threads``, all that there are by default, at
    most those: sums in another number of threads differ by rounding.

    Two tokens on the circle 2 radians apart approach each other: for ``beta`` = 0 their difference obeys
    :math:`\dot\delta = -\sin\delta`, so that :math:`\tan(\delta/2)` decays as :math:`e^{-t}`:

    >>> run = simulate([[np.cos(1), np.sin(1)], [np.cos(1), -np.sin(1)]], beta=0.0, t_end=2.0, rtol=1e-12)
    >>> bool(np.isclose(run.tokens[0, 1] / run.tokens[0, 0], np.tan(1) * np.exp(-2.0), rtol=1e-9))
    True

    Raises ValueError for bad input; what goes wrong after the start is in ``status`` instead: a velocity that is not
    finite, an observable that raises after the first step, a checkpoint that cannot be written.  Ctrl-C raises
    :class:`gegenflow.numerics.Interrupted`, a KeyboardInterrupt, with the run so far as its ``run``.  Source: arXiv
    2410.23228 for the models, 2312.10794 for the matrices, 2604.16288 for the noise, 2510.22026 for the layer norms.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "simulate", "query_key", "value", "noise", "layer_norm", "heads", "causal", "random_layers")
    rows = check_tokens(tokens)
    for name, recorded, held in (("n", n, rows.shape[0]), ("dim", dim, rows.shape[1])):
        if recorded not in (None, held):
            raise Refused(name, repr(recorded), f"the tokens have {held}; leave it out")
    n, dim = rows.shape
    observe = observables_of(observe)
    times = check_times(save_at, t_end)
    start = Start(rows, check_radii(radii, n, flow.layer_norm), check_weights(weights, n))
    settings = check_settings(
        flow,
        n,
        dim,
        t_end,
        method=method,
        merge=merge,
        rtol=rtol,
        atol=atol,
        order=order,
        first_step=first_step,
        step=step,
        rng=rng,
        estimate_error=estimate_error,
    )
    check_look(observe, flow, stop_when=stop_when, record_when=record_when, every=every)
    look = Look(observe, check_track(track, n, dim, len(times)), stop_when, record_when, progress, every=every)
    if checkpoint is not None:
        path = checked_path(checkpoint, "checkpoint")
        look = replace(look, save=lambda run: run.save(path))
    with in_threads(threads):
        run = follow(start, flow, settings, look, t_end=float(t_end), times=times)
        if not estimate_error:
            return run
        finer = settings.finer(str(run.parameters["method"]))
        again = partial(follow, start, flow, finer, Look(progress=progress), t_end=run.reached, times=np.empty(0))
        return measured(run, again, farthest, keep=look.kept)
