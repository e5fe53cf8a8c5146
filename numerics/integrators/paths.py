"""Any velocity followed in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.fields.method import CHOSEN, prepare_field
from gegenflow.numerics.flows.flow import Flow, check_parts
from gegenflow.numerics.integrators.adaptive import AdaptiveSteps
from gegenflow.numerics.integrators.driver import Integration, Origin, drive
from gegenflow.numerics.integrators.events import Crossing, check_observable, crossings, watches
from gegenflow.numerics.integrators.interrupts import Interrupted, listening, take_interrupt
from gegenflow.numerics.integrators.runge_kutta import Velocity
from gegenflow.numerics.tokens.arguments import check_array, check_steps, check_times
from gegenflow.numerics.tokens.geometry import Array, check_tokens, check_weights
from gegenflow.numerics.tokens.refusals import Refused


def integrate(
    velocity: Velocity | Flow,
    start: ArrayLike,
    *,
    t_end: float,
    t_start: float = 0.0,
    weights: ArrayLike | None = None,
    order: int = 8,
    save_at: ArrayLike | None = None,
    observe: Callable[[float, Array], object] | None = None,
    stop_when: Crossing | Sequence[Crossing] = (),
    record_when: Crossing | Sequence[Crossing] = (),
    rtol: float = 1e-8,
    atol: float = 1e-10,
    first_step: float | None = None,
    progress: bool = False,
) -> Integration[Array, object]:
    r"""Follow :math:`\dot x = v(x)` from ``t_start`` to ``t_end`` with controlled error.

    .. math:: \dot y = v(y/|y|), \qquad y \leftarrow y/|y| \text{ after every accepted step}

    The root mean square over tokens of the error of a step stays below ``rtol`` + ``atol``, which should sit 10 to 1000
    times below the global error wanted.  What is saved comes from an interpolant and changes no step, crossings are
    located inside the step.  Main arguments:

    :param velocity: a function of ``state`` and ``out``, both of the shape of ``start``, that writes the velocity into
        ``out``; or a :class:`Flow` with a weight, a model and matrices
    :param start: tokens on the sphere, shape (n, dim), or angles, any real numbers, shape (n,), which no rule puts back
    :param t_end: time to end at, >= t_start
    :param t_start: time to start at, any finite number, default 0
    :param weights: weights of the tokens of a flow, shape (n,), > 0 with sum 1; None (default): 1/n each
    :param order: of the steps, one of 8 (default) and 5, the cheaper one for rtol above 1e-6 or so
    :param save_at: times to save at, shape (times,), not decreasing, within [t_start, t_end]; None (default): 101
        equispaced ones
    :param observe: a function of the time and the state, an array of its own, that gives what is saved;
        None (default): the state

    Other arguments:

    :param stop_when: a :class:`Crossing`, or several, whose observable maps a state to a number: the first ends it
    :param record_when: a :class:`Crossing`, or several, each of which becomes an event
    :param rtol: relative tolerance of a step, >= 1e-13 and < 1, default 1e-8
    :param atol: absolute tolerance of a step, >= 0, default 1e-10
    :param first_step: the step tried first, > 0 and <= t_end - t_start; None (default): chosen
    :param progress: show a bar on a terminal or in a notebook, default False

    A velocity that is not finite or raises FloatingPointError, and a time that 10,000 steps leave where it is (the step
    size became too small) end the integration, and so does, after the first step, whatever else a velocity or an
    observer raises; everything up to the last step is kept and ``status`` says what happened.  Ctrl-C raises
    :class:`Interrupted`, a KeyboardInterrupt, with the result so far as its ``run``.

    Rotation at unit speed brings a token to the angle t, which is a right angle at pi/2:

    >>> def turn(x, out):
    ...     np.stack([-x[:, 1], x[:, 0]], axis=1, out=out)
    >>> end = integrate(turn, [[1.0, 0.0]], t_end=2.0, rtol=1e-12, atol=1e-12)
    >>> bool(np.allclose(end.state, [[np.cos(2.0), np.sin(2.0)]], rtol=0, atol=1e-11)), str(end.status)
    (True, 'reached t = 2')
    >>> upright = Crossing(lambda x: x[0, 0], 0.0)
    >>> end = integrate(turn, [[1.0, 0.0]], t_end=2.0, rtol=1e-12, atol=0.0, stop_when=upright)
    >>> bool(abs(end.reached - np.pi / 2) < 1e-11), len(end.events)
    (True, 1)

    Raises ValueError for bad tokens or angles, times, tolerances, order, first step or crossings.  Source: Hairer,
    Norsett, Wanner, Solving ODEs I, II.4 to II.6 and II.10.

    See also :func:`.simulate`, which also observes, merges and pushes tokens at random, and :class:`.Integration`.
    """
    state = _check_start(start)
    times = check_times(save_at, t_end, t_start)
    check_steps(rtol, atol, order, first_step, t_end - t_start)
    accuracy = CHOSEN * (rtol + atol) / (t_end - t_start) if t_end > t_start else 0.0
    with listening():
        try:
            velocity = _velocity(velocity, state, weights, accuracy)
        except KeyboardInterrupt:  # while sums are prepared: the run is at its start
            take_interrupt()
            velocity, times, stop_when, record_when = _interrupted, times[:0], (), ()
    if observe is not None and not callable(observe):
        raise Refused("observe", repr(observe), "it must be a function of the time and the state")
    for name, given in (("stop_when", stop_when), ("record_when", record_when)):
        for crossing in crossings(name, given):
            check_observable(name, crossing.observable, "state")
    looks = watches(stop_when, record_when, lambda crossing: crossing.observable)
    end: Integration[Array, object] = drive(
        AdaptiveSteps(velocity, state, tol=rtol + atol, order=order, origin=Origin(t_start, first_step)),
        observe or (lambda _, state: state),
        t_end=t_end,
        save_at=times,
        watches=looks,
        progress=progress,
    )
    if end.interrupted:
        raise Interrupted(end)
    return end


def _interrupted(state: Array, out: Array) -> None:
    raise KeyboardInterrupt


def _velocity(velocity: Velocity | Flow, state: Array, weights: ArrayLike | None, accuracy: float) -> Velocity:
    if isinstance(velocity, Flow):
        if state.ndim == 1:
            raise Refused("start", None, "a flow moves tokens, shape=[n, dim], not angles")
        check_parts(velocity, "integrate", "query_key", "value", "heads", "causal")
        return prepare_field(state, check_weights(weights, len(state)), velocity, accuracy=accuracy)
    if not callable(velocity):
        raise Refused("velocity", repr(velocity), "it must be a function of a state and of an array to write into")
    if weights is not None:
        raise Refused("weights", None, "they go with a flow; a velocity has its own")
    return velocity


def _check_start(start: ArrayLike) -> Array:
    if np.ndim(start) != 1:
        return check_tokens(start, "start")
    angles = check_array("start", start, "(n,)", None)
    if not angles.size:
        raise Refused("start", None, "it is empty, it must hold tokens, shape=[n, dim], or angles, shape=[n]")
    return angles
