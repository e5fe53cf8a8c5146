"""What following tokens or a density returns: the run, which is a value, prints, and saves itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import Status
from gegenflow.numerics.runs.archives import write_archive
from gegenflow.numerics.runs.flows import COMPOSED, flow_contents
from gegenflow.numerics.runs.printing import as_html, as_text, number, summary
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import sharing
from gegenflow.numerics.tokens.values import Value

if TYPE_CHECKING:
    import pandas
    import xarray

RUN_ARRAYS = ("tokens", "t", "radii", "trajectories", "weights", "merges")
DENSITY_ARRAYS = ("t", "coefficients", "minimum", "resolution")
GROUPS = {"observable:": "observables", "parameter:": "parameters", "memory:": "memory", "event:": "events"}
"""What the names of arrays in a file begin with, and the mapping that holds them."""
FLOW = "flow:"

Arrays = Mapping[str, NDArray[Any]]
Parameter = str | int | float | bool | None | NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Run(Value):
    """Result of :func:`gegenflow.numerics.simulate`: a value that prints as a table, in a notebook too.

    Runs are equal if all but their ``seconds`` is, arrays bit for bit.

    :param t: the saved times that were reached, shape (times,)
    :param tokens: the last state, at the end time if it was reached, shape (n, dim)
    :param radii: their lengths, shape (n,), one each but under layer_norm "pre" and "peri"
    :param trajectories: the tracked tokens, those with the numbers ``memory["track"]``, shape (times, tracked, dim)
    :param weights: weights of the tokens, shape (n,)
    :param merges: the times at which tokens merged and the number of clusters after, shape (events, 2)
    :param observables: what was observed, by name, each of shape (times, ...)
    :param status: whether all went well, a :class:`.Status`
    :param evaluations: how often the field was taken, >= 0
    :param field_error: how far, about, inexact sums may have moved a token by the end, the divergence of neighbouring
        paths aside, 0 for exact ones; None for a run with noise or one that ended early
    :param error: largest distance of a token, with its length, at the end from a run at a hundredth of the tolerances;
        None where it was not asked for
    :param parameters: how it was computed, by the names of the arguments of :func:`.simulate`
    :param version: that of the package that computed it
    :param seconds: of computing
    :param memory: what it takes beside the state to go on, arrays by name; default {}
    :param events: "time", "which", "value", "rising" and "state" of the crossings found, arrays over them; default {}
    :param extra: what else a file said; default {}
    :param flow: what moved the tokens; None (default) for a run from a file if its kernel is a function, of which
        ``parameters`` keeps the name

    >>> from gegenflow.numerics import simulate
    >>> first, second = (simulate([[1.0, 0.0], [0.0, 1.0]], beta=1.0, t_end=0.5) for _ in range(2))
    >>> first == second, first is second
    (True, False)

    See also :func:`.simulate`, :func:`.load`, :class:`.DensityRun`.
    """

    t: Array
    tokens: Array
    radii: Array
    trajectories: Array
    weights: Array
    merges: Array
    observables: Arrays
    status: Status
    evaluations: int
    field_error: float | None
    error: float | None
    parameters: Mapping[str, Parameter]
    version: str
    seconds: float = field(compare=False)
    memory: Arrays = field(default_factory=dict)
    events: Arrays = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    flow: Flow | None = None

    def __repr__(self) -> str:
        return as_text(*self._table())

    def _repr_html_(self) -> str:
        return as_html(*self._table())

    def _table(self) -> tuple[str, dict[str, object]]:
        facts = self.parameters
        n, dim = self.tokens.shape
        scheme = facts.get("layer_norm", "post")
        weight = _weight(facts) + ("" if scheme == "post" else f", layer_norm {scheme}")
        title = f"Run: {n} tokens, dim {dim}, {weight}, model {facts.get('model')}, {facts.get('method')} field"
        steps = (
            f"step {facts.get('step')}"
            if facts.get("step") is not None
            else "order {order}, rtol {rtol}".format(order=facts.get("order"), rtol=facts.get("rtol"))
        )
        rows: dict[str, object] = {
            "status": self.status,
            "cost": f"{self.evaluations} evaluations, {self.seconds:.3g} s, {steps}",
        }
        if self.field_error or self.error is not None:
            measured = "" if self.error is None else f", {self.error:.1e} in all, measured by a second run"
            rows["error of a token"] = f"up to {self.field_error or 0.0:.1e} from the field{measured}"
        if len(self.merges):
            rows["clusters"] = f"{self.merges[-1, 1]:.0f} after {len(self.merges)} times of merging"
        return title, rows | _in_time(self.t, self.observables)

    @property
    def reached(self) -> float:
        """The time at which ``tokens`` are where they are.

        Raises ValueError for a run from a file of an earlier version that does not say so.
        """
        if "time" in self.memory:
            return float(self.memory["time"])
        if not self.status or self.parameters.get("step") is not None:
            raise Refused("run", None, "it was saved without what it takes to go on")
        return float(str(self.parameters["t_end"]))

    def extend(self, t_end: float, **options: Any) -> Run:
        """The run gone on to a later ``t_end``, with its flow, settings and clock: one run, as if it had never ended.

        Fixed steps go on bit for bit, adaptive ones to their tolerance; merged tokens stay together. ``options``:
        ``save_at`` (after the time that was reached, default 100 equispaced), ``stop_when``, ``record_when``,
        ``progress``, ``checkpoint`` and ``every`` as of the solver, and ``comm`` if it had one; ``flow``, and
        ``observe``, the same ones, where a file could not hold them.

        Raises ValueError for a ``t_end`` before the time that was reached, a flow or observables other than its own,
        and a run that keeps no memory; Interrupted with the whole run so far.
        """
        from gegenflow.numerics.runs.extending import extended

        with sharing(options.pop("comm", None)):
            longer: Run = extended(self, t_end, **options)
        return longer

    def save(self, path: str | Path) -> None:
        """Write the run to exactly this ``path``, an npz archive without pickle; :func:`load` reads it back.

        The file is written whole or not at all: until it is complete, one that was there stays.  Raises OSError, with
        the path, where that fails, and ValueError for observables that are no arrays of numbers.
        """
        own = {"evaluations": self.evaluations, "field_error": self.field_error, "error": self.error}
        write_archive(path, _facts(self) | own, _arrays(self, RUN_ARRAYS))

    def to_xarray(self) -> xarray.Dataset:
        """The run as an ``xarray.Dataset`` over time, see :func:`gegenflow.numerics.runs.exports.dataset`."""
        from gegenflow.numerics.runs.exports import run_dataset

        return run_dataset(self)

    def to_pandas(self) -> pandas.DataFrame:
        """The observables as a ``pandas.DataFrame``, one row a saved time, one column a number."""
        from gegenflow.numerics.runs.exports import frame

        return frame(self.t, self.observables)


@dataclass(frozen=True, eq=False, repr=False)
class DensityRun(Value):
    """Result of :func:`gegenflow.numerics.solve_density`: a value that prints as a table, in a notebook too.

    :param density: the last one
    :param reached: its time, >= 0
    :param t: the saved times that were reached, shape (times,)
    :param coefficients: those of the density at each of them, padded with zeros, shape (times, modes)
    :param minimum: its smallest value on a grid that resolves it, but for nodes of a weight below 1e-13, shape (times,)
    :param resolution: the degree that it went up to, shape (times,)
    :param observables: what was observed, by name, each of shape (times, ...)
    :param status: whether all went well, a :class:`.Status`
    :param evaluations: how often the drift was taken, >= 0
    :param parameters: how it was computed, by the names of the arguments of :func:`.solve_density`
    :param version: that of the package that computed it
    :param seconds: of computing
    :param memory: what it takes beside the density to go on, arrays by name; default {}
    :param events: "time", "which", "value", "rising" and "state" of the crossings found, arrays over them; default {}
    :param extra: what else a file said; default {}
    :param flow: what moved the density; None (default) for a run from a file if its kernel is a function

    Source: derived here.

    See also :func:`.solve_density`, :func:`.load`, :class:`.Run`.
    """

    density: Density
    reached: float
    t: Array
    coefficients: Array
    minimum: Array
    resolution: NDArray[np.int64]
    observables: Arrays
    status: Status
    evaluations: int
    parameters: Mapping[str, Parameter]
    version: str
    seconds: float = field(compare=False)
    memory: Arrays = field(default_factory=dict)
    events: Arrays = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    flow: Flow | None = None

    @property
    def densities(self) -> list[Density]:
        """The density at each saved time."""
        whole = [replace(self.density, coefficients=row) for row in self.coefficients]
        return [density.resized(int(top)) for density, top in zip(whole, self.resolution, strict=True)]

    def __repr__(self) -> str:
        return as_text(*self._table())

    def _repr_html_(self) -> str:
        return as_html(*self._table())

    def _table(self) -> tuple[str, dict[str, object]]:
        facts, kind = self.parameters, type(self.density).__name__
        steps = f"step {facts['step']}, " if facts.get("step") is not None else ""
        title = f"DensityRun: {kind}, dim {self.density.dim}, {_weight(facts)}, model {facts.get('model')}"
        rows: dict[str, object] = {
            "status": self.status,
            "cost": f"{self.evaluations} evaluations, {self.seconds:.3g} s, {steps}rtol {facts.get('rtol')}",
            "resolution": f"degree {self.density.max_degree} at the end, of {facts.get('max_degree')} allowed",
        }
        return title, rows | _in_time(self.t, {"minimum": self.minimum, **self.observables})

    def extend(self, t_end: float, **options: Any) -> DensityRun:
        """The run gone on to a later ``t_end``, with its flow, settings and clock: one run, as if it had never ended.

        Fixed steps go on bit for bit, adaptive ones to their tolerance.  ``options``: ``save_at`` (after the time
        that was reached, default 100 equispaced), ``stop_when``, ``record_when``, ``progress``, ``checkpoint`` and
        ``every`` as of the solver; ``flow``, and ``observe``, the same ones, where a file could not hold them.

        Raises ValueError for a ``t_end`` before the time that was reached, a flow or observables other than its own,
        and a run that keeps no memory; Interrupted with the whole run so far.
        """
        from gegenflow.numerics.runs.extending import extended

        longer: DensityRun = extended(self, t_end, **options)
        return longer

    def save(self, path: str | Path) -> None:
        """Write the run to exactly this ``path``, as :meth:`Run.save` does; :func:`load` reads it back."""
        own = {"density": type(self.density).__name__, "dim": self.density.dim, "reached": self.reached}
        arrays = _arrays(self, DENSITY_ARRAYS) | {"last": self.density.coefficients}
        write_archive(path, _facts(self) | own | {"evaluations": self.evaluations}, arrays)

    def to_xarray(self) -> xarray.Dataset:
        """The run as an ``xarray.Dataset`` over time, see :func:`gegenflow.numerics.runs.exports.dataset`."""
        from gegenflow.numerics.runs.exports import density_dataset

        return density_dataset(self)

    def to_pandas(self) -> pandas.DataFrame:
        """Minimum, resolution and observables as a ``pandas.DataFrame``, one row a saved time."""
        from gegenflow.numerics.runs.exports import frame

        return frame(self.t, {"minimum": self.minimum, "resolution": self.resolution, **self.observables})


def _facts(run: Run | DensityRun) -> dict[str, object]:
    told = {name: repr(value) if name in COMPOSED else value for name, value in run.parameters.items()}
    parameters = {name: value for name, value in told.items() if not isinstance(value, np.ndarray)}
    facts = {"status": asdict(run.status), "parameters": parameters, "version": run.version, "seconds": run.seconds}
    return {**run.extra, **facts, "flow": None if run.flow is None else flow_contents(run.flow)[0]}


def _arrays(run: Run | DensityRun, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {name: getattr(run, name) for name in names}
    for prefix, group in GROUPS.items():
        held = getattr(run, group)
        arrays |= {prefix + name: array for name, array in held.items() if isinstance(array, np.ndarray)}
    return arrays if run.flow is None else arrays | flow_contents(run.flow, FLOW)[1]


def _weight(facts: Mapping[str, Parameter]) -> str:
    weight = f"kernel {facts['kernel']}" if facts.get("kernel") else f"beta {facts.get('beta')}"
    weight += ", scaled" if facts.get("scaled") else ""
    weight += ", random layers" if facts.get("random_layers") is not None else ""
    return weight + (f", noise {number(facts['noise'])}" if facts.get("noise") else "")


def _in_time(times: Array, observables: Arrays) -> dict[str, object]:
    if not len(times):
        return {}
    rows: dict[str, object] = {"saved times": f"{len(times)} from {times[0]:g} to {times[-1]:g}"}
    return rows | {name: summary(values) for name, values in observables.items()}
