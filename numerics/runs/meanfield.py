"""One entry point to follow a density under attention: the mean-field equation."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version as installed_version
from time import perf_counter
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from gegenflow.numerics.densities.circle import circle_density
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.spectral import follow_modes, negative_mass
from gegenflow.numerics.fields.flow import Flow, FlowParts, check_parts, flow_of
from gegenflow.numerics.fields.weights import kernel_name
from gegenflow.numerics.observables.tokens import DensityObservable
from gegenflow.numerics.runs.run import DensityRun
from gegenflow.numerics.tokens.arguments import check_numbers, check_steps, check_times
from gegenflow.numerics.tokens.geometry import Array

NEGATIVE = 1e-9  # mass of a negative part that a start may have from rounding or an earlier run
NEGLIGIBLE = 1e-13  # weights, relative to the largest, of places whose values are rounding
MOST_DEGREES = {"CircleDensity": 2048, "ZonalDensity": 512, "SphereDensity": 128}


def solve_density(
    density: Density | Callable[[Array], Array] | ArrayLike,
    flow: Flow | None = None,
    *,
    t_end: float,
    observe: Sequence[DensityObservable] = (),
    rtol: float = 1e-9,
    atol: float = 1e-14,
    max_degree: int | None = None,
    first_step: float | None = None,
    save_at: ArrayLike | None = None,
    progress: bool = False,
    **short: Unpack[FlowParts],
) -> DensityRun:
    r"""Follow a density under attention from t = 0 to ``t_end``, right to the last digit while it is smooth.

    .. math:: \partial_t f = -\operatorname{div}(f v) + \nu\Delta f, \qquad
              v(x) = P_x \int h(\langle x, y\rangle)\, y\, f(y)\,d\sigma(y) \ \text{(USA)},
              \quad \text{divided by } \int h(\langle x, y\rangle) f(y)\,d\sigma(y) \ \text{(SA)}

    Main arguments: ``density`` f with respect to the uniform probability measure: one made by :func:`circle_density`,
    :func:`zonal_density` (any dim >= 3) or :func:`sphere_density` (dim 3), or what the first of these takes, a function
    of the angle or values at equispaced angles; ``flow``, a :class:`gegenflow.numerics.Flow` with beta >= 0 or a
    kernel, noise :math:`\nu` and a model, or these as keywords; ``observe`` observables recorded at each time of
    ``save_at`` (sorted, within [0, t_end], default 101 equispaced).

    Accuracy: the series of f is multiplied out without aliasing, mass is exact, and ``rtol`` |f - 1| + ``atol``, in the
    norm of :math:`L^2(\sigma)`, bounds the error of a step, in time and from the degrees that are left out: they are
    added where the highest hold more, and the run ends, with all it has, where they would pass ``max_degree`` (default
    2048 on the circle, 512 for zonal densities, 128 on the sphere), as they must when mass concentrates.  From there
    :func:`solve_quantiles` goes on, on the circle.  Degrees that a period of f excludes stay zero.  Other arguments:
    ``first_step`` is the step tried first; ``progress`` shows a bar on a terminal.

    The third degree grows at the rate 18.596 where beta is 5, see ``gegenflow.theory.growth_rate``:

    >>> run = solve_density(lambda angle: 1 + 1e-6 * np.sin(3 * angle), beta=5.0, t_end=0.1, save_at=[])
    >>> print(f"{np.log(run.density.coefficients[5] / (1e-6 / 2**0.5)) / 0.1:.6f}")
    18.596070

    Raises ValueError for bad input; what goes wrong after the start is in ``status`` instead.  Source: arXiv
    2410.23228 for the models, 2604.16288 for the noise; the Galerkin form is derived here.
    """
    clock = perf_counter()
    flow = flow_of(flow, short)
    check_parts(flow, "solve_density", "noise", smallest_beta=0.0)
    check_numbers({"max_degree": max_degree, "first_step": first_step}, t_end=t_end, rtol=rtol, atol=atol)
    if hasattr(density, "density"):
        raise ValueError(f"density is a {type(density).__name__}: pass its .density on")
    start = density if isinstance(density, Density) else circle_density(density)
    if (mass := negative_mass(start)) > NEGATIVE:
        raise ValueError(f"the negative part of the density has mass {mass:.2g}: it must not be negative")
    times = check_times(save_at, t_end)
    check_steps(rtol, atol, first_step=first_step, span=t_end)
    _check_observables(observe)
    most = MOST_DEGREES[type(start).__name__] if max_degree is None else max_degree
    if not isinstance(most, int | np.integer) or most < 1:
        raise ValueError(f"max_degree is {most}: it must be a whole number >= 1")
    if most < start.max_degree:
        raise ValueError(f"max_degree is {most}: the density has degree {start.max_degree} already")
    records: list[list[object]] = [[] for _ in observe]
    states: list[Density] = []
    least: list[float] = []

    def record(_: float, state: Density) -> None:
        states.append(state)
        least.append(_minimum(state))
        for values, observable in zip(records, observe, strict=True):
            values.append(observable.of_density(state, flow))

    for observable in observe:
        observable.of_density(start, flow)  # one that the density does not have is refused here
    end = follow_modes(
        start,
        flow,
        t_end=t_end,
        save_at=times,
        on_save=record,
        rtol=rtol,
        atol=atol,
        max_degree=most,
        first_step=first_step,
        progress=progress,
    )
    count = min([len(least), *(len(values) for values in records)])
    if count and times[count - 1] > end.reached:  # an interrupt between saved times
        end = replace(end, density=states[count - 1], reached=float(times[count - 1]))
    widest = max((len(state.coefficients) for state in states), default=0)
    return DensityRun(
        density=end.density,
        reached=end.reached,
        t=times[:count],
        coefficients=np.array(
            [np.pad(s.coefficients, (0, widest - len(s.coefficients))) for s in states[:count]]
        ).reshape(count, widest),
        minimum=np.array(least[:count]),
        resolution=np.array([state.max_degree for state in states[:count]], dtype=np.int64),
        observables={o.name: np.array(values[:count]) for o, values in zip(observe, records, strict=True)},
        status=end.status,
        evaluations=end.evaluations,
        parameters={
            "beta": flow.beta,
            "kernel": None if flow.kernel is None else kernel_name(flow.kernel),
            "noise": flow.noise,
            "model": flow.model,
            "t_end": float(t_end),
            "rtol": float(rtol),
            "atol": float(atol),
            "max_degree": int(most),
        },
        version=installed_version("gegenflow"),
        seconds=perf_counter() - clock,
        flow=flow,
    )


def _minimum(density: Density) -> float:
    values, weights = density.samples()
    return float(values[weights > NEGLIGIBLE * weights.max()].min())


def _check_observables(observe: Sequence[DensityObservable]) -> None:
    if not isinstance(observe, Sequence) or any(isinstance(o, type) or not hasattr(o, "of_density") for o in observe):
        raise ValueError(
            f"observe holds {observe!r}: it must be a list of observables of densities such as [Entropy()]"
        )
    names = [observable.name for observable in observe]
    if len(set(names)) < len(names):
        raise ValueError(f"observe holds two observables of one name: {', '.join(names)}")
