"""One entry point to follow a density under attention: the mean-field equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path
from secrets import randbits
from time import perf_counter
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.layered import density_layer
from gegenflow.numerics.densities.spectral import ModeSteps, negative_mass
from gegenflow.numerics.flows.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.flows.weights import kernel_name
from gegenflow.numerics.integrators.driver import AT_ZERO, Integration, Origin, Stepper
from gegenflow.numerics.integrators.events import Crossing
from gegenflow.numerics.integrators.interrupts import listening
from gegenflow.numerics.integrators.layers import LayeredSteps, fixed_step
from gegenflow.numerics.integrators.stochastic import check_pace_of_noise
from gegenflow.numerics.observables.texts import names_of, observables_of, observables_text
from gegenflow.numerics.observables.tokens import DensityObservable
from gegenflow.numerics.runs.flows import COMPOSED
from gegenflow.numerics.runs.following import events_of
from gegenflow.numerics.runs.motion import streams
from gegenflow.numerics.runs.run import DensityRun
from gegenflow.numerics.runs.settings import Crossings, Look, check_look, recorder
from gegenflow.numerics.tokens.arguments import check_rng, check_steps, check_times, check_whole
from gegenflow.numerics.tokens.files import checked_path
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

NEGATIVE = 1e-9  # mass of a negative part that a start may have from rounding or an earlier run
NEGLIGIBLE = 1e-13  # weights, relative to the largest, of places whose values are rounding
MOST_DEGREES = {"CircleDensity": 2048, "ZonalDensity": 512, "SphereDensity": 128}

Seen = tuple[Density, float, list[NDArray[Any]]]
"""Of a saved time: the density, its smallest value, and what the observables gave."""


def solve_density(
    density: Density | Callable[[Array], Array] | ArrayLike,
    flow: Flow | None = None,
    *,
    t_end: float,
    observe: Sequence[DensityObservable] | str = (),
    rtol: float = 1e-9,
    atol: float = 1e-14,
    max_degree: int | None = None,
    first_step: float | None = None,
    step: float | None = None,
    rng: int | np.random.Generator | None = None,
    save_at: ArrayLike | None = None,
    stop_when: Crossings = (),
    record_when: Crossings = (),
    checkpoint: str | Path | None = None,
    every: float = 600.0,
    progress: bool = False,
    **short: Unpack[FlowParts],
) -> DensityRun:
    r"""Follow a density under attention from t = 0 to ``t_end``, right to the last digit while it is smooth.

    .. math:: \partial_t f = -\operatorname{div}(f v) + \nu\Delta f, \qquad
              v(x) = P_x \int h(\langle x, y\rangle)\, y\, f(y)\,d\sigma(y) \ \text{(USA)},
              \quad \text{divided by } \int h(\langle x, y\rangle) f(y)\,d\sigma(y) \ \text{(SA)}

    or, with ``random_layers``, through layers that push all of it at random, as they push tokens:

    .. math:: df = -\partial_\theta (f v)\,dt - \partial_\theta(f\,dT) + \tfrac12 K(1)\,\partial_\theta^2 f\,dt, \qquad
              E\,dT(\theta)\,dT(\varphi) = K(\cos(\theta - \varphi)) \cos(\theta - \varphi)\,dt

    in the limit of many layers.

    Main arguments:

    :param density: f with respect to the uniform probability measure: one made by :func:`circle_density`,
        :func:`zonal_density` (any dim) or :func:`sphere_density` (dim 3), or what the first of these takes, a function
        of the angle or values at equispaced angles, shape (n,)
    :param flow: what moves it, a :class:`Flow` with beta >= 0 or a kernel, a model, noise :math:`\nu`, heads whose
        matrices are multiples of the identity and, on the circle, random layers without values; None (default): the one
        whose parts are given as keywords
    :param t_end: time to end at, >= 0, in units of the flow
    :param observe: observables of densities to record at each time, a list such as ``[nm.Entropy()]``; default ()
    :param save_at: times to save at, shape (times,), not decreasing, within [0, t_end]; None (default): 101
        equispaced ones
    :param short: parts of a :class:`Flow` in place of it: beta, kernel, model, noise, heads, random_layers, scaled

    Accuracy: the series of f is multiplied out without aliasing, mass is exact, and ``rtol`` :math:`|f - 1|` +
    ``atol``, in the norm of :math:`L^2(\sigma)`, bounds the error of a step, in time and from the degrees that are left
    out: they are added where the highest hold more, and the run ends, with all it has, where they would pass
    ``max_degree``, as they must when mass concentrates. From there :func:`solve_quantiles` goes on, on the circle.
    Degrees that a period of f excludes stay zero. Random layers carry f by the very map by which they carry tokens, its
    moments being sums over angles, so that mass is exact; ``rtol`` and ``atol`` then bound what is left out in a layer,
    and tokens drawn from f stay at a distance :math:`W_2` of O(n^{-1/2}) from it where
    :func:`gegenflow.numerics.simulate` has the same ``rng``, a whole number, and ``step``.

    :param rtol: relative tolerance of a step, >= 1e-13 and < 1, default 1e-9
    :param atol: absolute tolerance of a step, >= 0, default 1e-14
    :param max_degree: degree at which the run ends, >= 1 and >= that of the density; None (default): 2048 on the
        circle, 512 for zonal densities, 128 on the sphere
    :param first_step: the step tried first, > 0 and <= t_end; None (default): chosen
    :param step: size of layers, 1/L, or, > 0, of the steps that stand for infinitely many, as in :func:`simulate`;
        None (default): that of :func:`gegenflow.numerics.integrators.layers.fixed_step`
    :param rng: seed >= 0 or numpy Generator of the random layers; None (default): a fresh seed, which is recorded

    Other arguments:

    :param stop_when: a :class:`Crossing`, or several, of what observables give for densities: the first ends the run
    :param record_when: a :class:`Crossing`, or several: the run has their events, the state of which are coefficients,
        up to the degree of the last density, and goes on
    :param checkpoint: file to which the run saves itself, whole or not at all, on its way and at its end;
        None (default): none
    :param every: seconds between two of its savings, > 0, default 600
    :param progress: show a bar on a terminal or in a notebook, default False

    ``run.extend(t_end)`` goes on.

    The third degree grows at the rate 18.596 where beta is 5, see ``gegenflow.theory.growth_rate``:

    >>> run = solve_density(lambda angle: 1 + 1e-6 * np.sin(3 * angle), beta=5.0, t_end=0.1, save_at=[])
    >>> print(f"{np.log(run.density.coefficients[5] / (1e-6 / 2**0.5)) / 0.1:.6f}")
    18.596070

    Raises ValueError for bad input; what goes wrong after the start is in ``status`` instead.  Ctrl-C raises
    :class:`gegenflow.numerics.Interrupted` with the run so far as its ``run``.  Source: arXiv 2410.23228 for the
    models, 2604.16288 for the noise; the Galerkin form is derived here.

    See also :func:`.solve_quantiles`, :func:`.simulate`, :func:`.circle_density`, :meth:`.DensityRun.extend`.
    """
    flow = flow_of(flow, short)
    check_parts(flow, "solve_density", "noise", "heads", "random_layers", smallest_beta=0.0)
    if hasattr(density, "density"):
        raise Refused("density", None, f"it is a {type(density).__name__}: pass its .density on")
    start = density if isinstance(density, Density) else circle_density(density)
    if (mass := negative_mass(start)) > NEGATIVE:
        raise Refused("density", None, f"its negative part has mass {mass:.2g}, it must not be negative")
    times, observables = check_times(save_at, t_end), observables_of(observe)
    check_steps(rtol, atol, first_step=first_step, span=t_end)
    check_look(observables, flow, stop_when=stop_when, record_when=record_when, every=every, seen="of_density")
    most = check_whole("max_degree", MOST_DEGREES[type(start).__name__] if max_degree is None else max_degree, 1)
    if most < start.max_degree:
        raise Refused("max_degree", most, f"the density has degree {start.max_degree} already")
    for observable in observables:
        observable.of_density(start, flow)  # one that the density does not have is refused here
    options: dict[str, Any] = {"rtol": float(rtol), "atol": float(atol), "max_degree": most}
    check_rng(rng)
    if flow.random_layers is not None:
        if first_step is not None:
            raise Refused("first_step", first_step, "all layers are of one size, that is step")
        drawn = randbits(63) if rng is None else rng if isinstance(rng, np.random.Generator) else int(rng)
        options |= {"step": check_layers(start, flow, step, t_end), "rng": drawn}
    elif step is not None or rng is not None:
        name, value = ("rng", None) if step is None else ("step", step)
        raise Refused(name, value, "it goes with random layers; other densities take steps that follow rtol and atol")
    steps = density_steps(start, flow, t_end, options, Origin(first_step=first_step))
    look = Look(observables, None, stop_when, record_when, progress, every=every)
    if checkpoint is not None:
        path = checked_path(checkpoint, "checkpoint")
        look = replace(look, save=lambda run: run.save(path))
    facts = {
        "beta": flow.beta,
        "scaled": flow.scaled,
        "kernel": None if flow.kernel is None else kernel_name(flow.kernel),
        "noise": flow.noise,
        "model": flow.model,
        **{name: part for name in COMPOSED if (part := getattr(flow, name))},
        "t_end": float(t_end),
        **{name: option if isinstance(option, int | float) else str(option) for name, option in options.items()},
        "observe": observables_text(observables),
    }
    return follow_density(steps, flow, look, t_end=float(t_end), times=times, facts=facts)


def check_layers(density: Density, flow: Flow, step: float | None, t_end: float) -> float:
    """The size of the layers through which a density can be followed; refused if there is none.

    >>> from gegenflow.numerics.flows.parts import RandomLayers
    >>> check_layers(CircleDensity(np.zeros(0)), Flow(random_layers=RandomLayers("tanh", layers=50)), None, 1.0)
    0.02
    """
    if flow.random_layers is None or flow.random_layers.values:
        raise Refused("random_layers", None, "a density goes through those with an activation, without values")
    if not isinstance(density, CircleDensity):
        raise Refused("random_layers", None, f"they move a CircleDensity alone, this one is a {type(density).__name__}")
    size = fixed_step(flow, 2, step)
    check_pace_of_noise(size, t_end, "t_end" if step is None else "step")
    return size


def density_steps(
    start: Density, flow: Flow, t_end: float, options: Mapping[str, Any], origin: Origin = AT_ZERO
) -> Stepper[Density]:
    """The stepper that serves a density; ``options``, already checked, are in the parameters of a run.

    >>> type(density_steps(CircleDensity(np.zeros(0)), Flow(beta=1), 1.0, {"rtol": 1e-9, "atol": 0, "max_degree": 9}))
    <class 'gegenflow.numerics.densities.spectral.ModeSteps'>
    """
    limits: dict[str, Any] = {name: options[name] for name in ("rtol", "atol", "max_degree")}
    if flow.random_layers is None or not isinstance(start, CircleDensity):
        return ModeSteps(start, flow, longest=t_end, origin=origin, **limits)
    layer, stream = density_layer(flow, step=options["step"], **limits), streams(options.get("rng"))["rng"]
    return LayeredSteps(start, layer, step=options["step"], rng=stream, origin=origin)


def follow_density(
    steps: Stepper[Density], flow: Flow, look: Look, *, t_end: float, times: Array, facts: Mapping[str, Any]
) -> DensityRun:
    """Follow a density to ``t_end``; arguments already checked, ``facts`` are the parameters of the run.

    >>> steps = ModeSteps(circle_density(lambda a: 1 + 0.1 * np.cos(a)), Flow(beta=0), rtol=1e-9, atol=0.0,
    ...                   max_degree=64, longest=1.0)
    >>> str(follow_density(steps, Flow(beta=0), Look(), t_end=1.0, times=np.array([]), facts={}).status)
    'reached t = 1'

    Raises Interrupted, with the run, on an interrupt from the keyboard.
    """
    clock, numbers = perf_counter(), recorder(look.observe)

    def record(_: float, state: Density) -> Seen:
        return state, _minimum(state), numbers(lambda item: item.of_density(state, flow))

    def seen_by(crossing: Crossing) -> Any:
        return lambda state: crossing.observable.of_density(state, flow)  # type: ignore[attr-defined]

    def made(end: Integration[Density, Seen]) -> DensityRun:
        return _run(end, flow, look, facts, perf_counter() - clock)

    with listening():
        return look.along(steps, record, seen_by, made, t_end=t_end, times=times)


def _run(
    end: Integration[Density, Seen], flow: Flow, look: Look, facts: Mapping[str, Any], seconds: float
) -> DensityRun:
    states = [state for state, _, _ in end.saved]
    widest, modes = max((len(state.coefficients) for state in states), default=0), len(end.state.coefficients)
    rows = [np.pad(state.coefficients, (0, widest - len(state.coefficients))) for state in states]
    return DensityRun(
        density=end.state,
        reached=end.reached,
        t=end.t,
        coefficients=np.array(rows).reshape(len(states), widest),
        minimum=np.array([least for _, least, _ in end.saved]),
        resolution=np.array([state.max_degree for state in states], dtype=np.int64),
        observables={
            name: np.array([values[k] for _, _, values in end.saved]) for k, name in enumerate(names_of(look.observe))
        },
        status=end.status,
        evaluations=end.evaluations,
        parameters=facts,
        version=installed_version("gegenflow"),
        seconds=seconds,
        memory=end.memory,
        events=events_of(end.events, lambda state: state.resized(end.state.max_degree).coefficients, (modes,)),
        flow=flow,
    )


def _minimum(density: Density) -> float:
    values, weights = density.samples()
    return float(values[weights > NEGLIGIBLE * weights.max()].min())
