"""One entry point to follow tokens under attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.integrators.normalization import check_radii
from gegenflow.numerics.observables.texts import observables_of
from gegenflow.numerics.observables.tokens import Observable
from gegenflow.numerics.runs.following import farthest, follow, measured
from gegenflow.numerics.runs.motion import Start
from gegenflow.numerics.runs.run import Run
from gegenflow.numerics.runs.settings import Crossings, Look, check_look, check_settings
from gegenflow.numerics.tokens.arguments import check_times, check_track
from gegenflow.numerics.tokens.compiling import in_threads
from gegenflow.numerics.tokens.files import checked_path
from gegenflow.numerics.tokens.geometry import check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import check_shared, sharing


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
    comm: Any = None,
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

    Main arguments:

    :param tokens: tokens on the sphere, shape (n, dim)
    :param flow: what moves them, a :class:`Flow` with a weight h, a model, matrices B and V, noise :math:`\nu`, a layer
        norm, heads, a mask and random layers; None (default): the one whose parts are given as keywords
    :param t_end: time to end at, >= 0, in units of the flow
    :param observe: observables to record at each time, a list such as ``[nm.Energy()]``; default ()
    :param save_at: times to save at, shape (times,), not decreasing, within [0, t_end]; None (default): 101
        equispaced ones
    :param weights: weights of the tokens, shape (n,), > 0 with sum 1; None (default): 1/n each
    :param radii: lengths of the tokens under layer_norm "pre" or "peri", shape (n,), > 0; None (default): one each
    :param rng: seed >= 0 or numpy Generator of the noise; None (default): a fresh seed, which is recorded
    :param short: parts of a :class:`Flow` in place of it: beta, kernel, model, noise, query_key, value, heads, causal,
        layer_norm, random_layers, scaled

    With ``layer_norm`` "pre" or "peri" the run has the lengths at the end in ``radii`` and those of the tracked tokens
    at every saved time, shape=[times, tracked], among its observables as "radii".

    Accuracy: the root mean square over tokens of the error of a step stays below ``rtol`` + ``atol``, to be set 10 to
    1000 times below the error wanted, and below the size of any small perturbation that matters.  The run's
    ``field_error`` says how far the sums may have moved a token, and its ``status`` if that is beyond a hundred times
    that tolerance.

    :param rtol: relative tolerance of a step, >= 1e-13 and < 1; None (default): 1e-8
    :param atol: absolute tolerance of a step, >= 0; None (default): 1e-10
    :param method: of the sums: "dense", accurate relative to each force, in any dim; "circle" and, for many tokens,
        "cells" in dim 2, "sphere" in dim 3, "tiles" in any, accurate relative to the largest force; "auto" (default),
        the fastest whose error moves no token further than 10 (rtol + atol) by t_end, hence "dense" for motion so slow
        that exponentially small forces matter
    :param order: of the steps, one of 5 and 8; None (default): 5 for tolerances above 1e-5 and over 200 tokens, else 8
    :param first_step: the step tried first, > 0 and <= t_end; None (default): chosen
    :param estimate_error: run a second time at a hundredth of the tolerances (rtol at least 1e-13, and at least ten
        times tighter in all), and put the largest distance of a token, with its length, at the end into ``error``;
        default False

    With noise the steps are fixed and of weak order 2, on the grid k h, h = ``step``, at most 1e8 of them; tolerances
    have no meaning there.  States between steps are right in law and change no later one, see
    :class:`gegenflow.numerics.integrators.stochastic.NoisySteps`: another ``save_at`` is the same realisation.  The
    Brownian motions come from a stream spawned by ``rng``, so that a start drawn with the same integer is independent
    of them.  Through random layers a step is a layer, 1/L, and in their limit, of weak order 1, that of
    :func:`gegenflow.numerics.integrators.layers.fixed_step`; a state between two layers is that before the second.

    :param step: h, > 0; None (default): that of :func:`gegenflow.numerics.integrators.stochastic.default_step`

    Events are located inside the step, to rounding; what comes back within one step is not seen.  ``events`` of the run
    are arrays over them: "time", "which", those of ``stop_when`` first, "value", "rising", and "state", the tracked
    tokens.

    :param stop_when: a :class:`Crossing`, or several: the first that happens ends the run, with ``status.ok``
    :param record_when: a :class:`Crossing`, or several: the run has their events, and goes on

    Other arguments:

    :param merge: distance at which contracting tokens go on as one cluster, >= 1e-14 and <= (rtol + atol)/10, for times
        like :math:`e^{100}` between clusters, which plain steps would never reach; for exponential weights and heads
        that are multiples of them, see :class:`gegenflow.numerics.integrators.merging.MergingSteps`;
        None (default): none do
    :param track: tokens whose paths are kept in ``trajectories``: so many, >= 0 and <= n, evenly spaced, or these
        indices, as far as they fit in the memory of the machine; None (default): at most 256
    :param checkpoint: file to which the run saves itself, whole or not at all, on its way and at its end;
        None (default): none
    :param every: seconds between two of its savings, > 0, default 600
    :param progress: show a bar on a terminal or in a notebook, default False
    :param n: number of the tokens, which is known, in the ``parameters`` of a run; None (default): any
    :param dim: d of the sphere S^{d-1}, likewise; None (default): any
    :param threads: of parallel sums and products of matrices, >= 1 and <= those that there are; None (default): all;
        sums in another number of them differ by rounding
    :param comm: communicator of mpi4py whose processes share the tokens, below; None (default): all of them are here

    ``run.extend(t_end)`` goes on.  The ``parameters`` of a run are arguments, too: ``simulate(tokens,
    **run.parameters)`` is that run again, to the last bit.

    With ``comm``, a communicator of mpi4py, each process gives and keeps a part of the tokens, of any size: what they
    share in a step are the moments of the kernel, whatever the number of tokens, so that the run is that of all tokens
    in one process up to rounding.  It takes plain flows and isotropic heads on the circle and in dim 3, sums by
    "circle", "cells", "sphere" or "auto", and the observables Energy, Dissipation, HarmonicPower and, on the circle,
    HarmonicAmplitude, which are those of all tokens; ``weights`` add up to one over all processes.  A ``checkpoint``
    must be a file of its own in each; an interrupt of one is one of all.

    Two tokens on the circle 2 radians apart approach each other: for ``beta`` = 0 their difference obeys
    :math:`\dot\delta = -\sin\delta`, so that :math:`\tan(\delta/2)` decays as :math:`e^{-t}`:

    >>> run = simulate([[np.cos(1), np.sin(1)], [np.cos(1), -np.sin(1)]], beta=0.0, t_end=2.0, rtol=1e-12)
    >>> bool(np.isclose(run.tokens[0, 1] / run.tokens[0, 0], np.tan(1) * np.exp(-2.0), rtol=1e-9))
    True

    Raises ValueError for bad input; what goes wrong after the start is in ``status`` instead: a velocity that is not
    finite, an observable that raises after the first step, a checkpoint that cannot be written.  Ctrl-C raises
    :class:`gegenflow.numerics.Interrupted`, a KeyboardInterrupt, with the run so far as its ``run``.  Source: arXiv
    2410.23228 for the models, 2312.10794 for the matrices, 2604.16288 for the noise, 2510.22026 for the layer norms.

    See also :func:`.solve_density`, :func:`.integrate`, :func:`.load`, :meth:`.Run.extend`, :func:`.uniform`.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "simulate", "query_key", "value", "noise", "layer_norm", "heads", "causal", "random_layers")
    if comm is not None:
        check_parts(flow, "simulate with comm", "heads")
        apart = {"merge": merge, "stop_when": stop_when, "record_when": record_when}
        check_shared(observables_of(observe), method=method, **apart)
    rows = check_tokens(tokens)
    for name, recorded, held in (("n", n, rows.shape[0]), ("dim", dim, rows.shape[1])):
        if recorded not in (None, held):
            raise Refused(name, repr(recorded), f"the tokens have {held}; leave it out")
    n, dim = rows.shape
    with sharing(comm), in_threads(threads):
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
        run = follow(start, flow, settings, look, t_end=float(t_end), times=times)
        if not estimate_error:
            return run
        finer = settings.finer(str(run.parameters["method"]))
        again = partial(follow, start, flow, finer, Look(progress=progress), t_end=run.reached, times=np.empty(0))
        return measured(run, again, farthest, keep=look.kept)
