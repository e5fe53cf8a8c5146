"""What following tokens or a density returns: the run, its file and its table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.densities.circle import CircleDensity
from gegenflow.numerics.densities.density import Density
from gegenflow.numerics.densities.sphere import SphereDensity
from gegenflow.numerics.densities.zonal import ZonalDensity
from gegenflow.numerics.integrators.driver import Status
from gegenflow.numerics.runs.archives import read_archive, write_archive
from gegenflow.numerics.tokens.geometry import Array

ARRAYS = ("t", "tokens", "radii", "trajectories", "weights", "merges")
DENSITY_ARRAYS = ("t", "coefficients", "minimum", "resolution")

Parameter = str | int | float | None


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """Result of :func:`gegenflow.numerics.simulate`; prints as a table.

    ``t`` shape=[times] are the saved times that were reached; ``tokens`` shape=[n, dim] the last state, at
    the end time if it was reached, and ``radii`` shape=[n] their lengths, one each but for Pre-LN and Peri-LN;
    ``observables`` maps names to arrays shape=[times, ...]; ``trajectories``
    shape=[times, tracked, dim] follow the first tokens; ``weights`` shape=[n]; ``merges`` shape=[events, 2] the times
    at which tokens merged and the number of clusters after; ``evaluations`` of the field.  ``field_error`` estimates
    how far inexact sums may have moved a token by the end, the divergence of neighbouring paths aside, 0 for exact
    ones and None for a run with noise or one that ended early; ``error``,
    where asked for, is the largest distance of a token at the end from a run at a hundredth of the tolerances.
    """

    t: Array
    tokens: Array
    radii: Array
    trajectories: Array
    weights: Array
    merges: Array
    observables: Mapping[str, NDArray[Any]]
    status: Status
    evaluations: int
    field_error: float | None
    error: float | None
    parameters: Mapping[str, Parameter]
    version: str
    seconds: float

    def __repr__(self) -> str:
        facts = self.parameters
        weight = _weight(facts)
        scheme = facts.get("normalization", "post")
        weight += "" if scheme == "post" else f", normalization {scheme}"
        head = "{n} tokens, dim {dim}, {weight}, model {model}, {method} field".format(weight=weight, **facts)
        steps = f"step {facts['step']}" if facts.get("noise") else f"order {facts['order']}, rtol {facts['rtol']}"
        rows = {"status": self.status, "cost": f"{self.evaluations} evaluations, {self.seconds:.3g} s, {steps}"}
        if self.field_error or self.error is not None:
            measured = "" if self.error is None else f", {self.error:.1e} in all, measured by a second run"
            rows["error of a token"] = f"up to {self.field_error or 0.0:.1e} from the field{measured}"
        if len(self.merges):
            rows["clusters"] = f"{self.merges[-1, 1]:.0f} after {len(self.merges)} times of merging"
        if len(self.t):
            rows["saved times"] = f"{len(self.t)} from {self.t[0]:g} to {self.t[-1]:g}"
            rows |= {name: _summary(values) for name, values in self.observables.items()}
        return "\n".join([f"Run: {head}", *(f"  {name:<20}{row}" for name, row in rows.items())])

    def save(self, path: str | Path) -> None:
        """Write the run to exactly this path, an npz archive without pickle; :func:`load` reads it back."""
        facts = {
            "status": asdict(self.status),
            "evaluations": self.evaluations,
            "field_error": self.field_error,
            "error": self.error,
            "parameters": dict(self.parameters),
            "version": self.version,
            "seconds": self.seconds,
        }
        write_archive(path, facts, {name: getattr(self, name) for name in ARRAYS}, self.observables)


@dataclass(frozen=True, eq=False, repr=False)
class DensityRun:
    """Result of :func:`gegenflow.numerics.solve_density`; prints as a table.

    ``density`` is the last one, at time ``reached``.  ``t`` shape=[times] are the saved times that were reached,
    ``coefficients`` shape=[times, modes] those of the density there, padded with zeros; ``minimum`` shape=[times] is
    its smallest value on a grid that resolves it, but for nodes of a weight below 1e-13, and ``resolution``
    shape=[times] the degree that it went up to; ``observables`` maps names to arrays shape=[times, ...];
    ``evaluations`` of the drift.  Source: derived here.
    """

    density: Density
    reached: float
    t: Array
    coefficients: Array
    minimum: Array
    resolution: NDArray[np.int64]
    observables: Mapping[str, NDArray[Any]]
    status: Status
    evaluations: int
    parameters: Mapping[str, Parameter]
    version: str
    seconds: float

    @property
    def densities(self) -> list[Density]:
        """The density at each saved time."""
        whole = [replace(self.density, coefficients=row) for row in self.coefficients]
        return [density.resized(int(top)) for density, top in zip(whole, self.resolution, strict=True)]

    def __repr__(self) -> str:
        facts = self.parameters
        rows = {
            "status": self.status,
            "cost": f"{self.evaluations} evaluations, {self.seconds:.3g} s, rtol {facts['rtol']}",
            "resolution": f"degree {self.density.max_degree} at the end, of {facts['max_degree']} allowed",
        }
        if len(self.t):
            rows["saved times"] = f"{len(self.t)} from {self.t[0]:g} to {self.t[-1]:g}"
            rows["minimum"] = _summary(self.minimum)
            rows |= {name: _summary(values) for name, values in self.observables.items()}
        head = f"{type(self.density).__name__}, dim {self.density.dim}, {_weight(facts)}, model {facts['model']}"
        return "\n".join([f"DensityRun: {head}", *(f"  {name:<20}{row}" for name, row in rows.items())])

    def save(self, path: str | Path) -> None:
        """Write the run to exactly this path, an npz archive without pickle; :func:`load` reads it back."""
        facts = {
            "density": type(self.density).__name__,
            "dim": self.density.dim,
            "reached": self.reached,
            "status": asdict(self.status),
            "evaluations": self.evaluations,
            "parameters": dict(self.parameters),
            "version": self.version,
            "seconds": self.seconds,
        }
        arrays = {name: getattr(self, name) for name in DENSITY_ARRAYS}
        write_archive(path, facts, {**arrays, "last": self.density.coefficients}, self.observables)


def load(path: str | Path) -> "Run | DensityRun":
    """Read a run that :meth:`Run.save` or :meth:`DensityRun.save` wrote.

    >>> from tempfile import TemporaryDirectory
    >>> from gegenflow.numerics import simulate
    >>> run = simulate([[1.0, 0.0], [0.0, 1.0]], beta=1.0, t_end=0.5)
    >>> with TemporaryDirectory() as folder:
    ...     run.save(f"{folder}/run.npz")
    ...     back = load(f"{folder}/run.npz")
    >>> bool((back.tokens == run.tokens).all()), back.parameters == run.parameters
    (True, True)

    Raises ValueError for a file that holds no run.
    """
    facts, arrays, observables = read_archive(path)
    kind = facts.pop("density", None)
    if missing := {*(DENSITY_ARRAYS if kind else ARRAYS)} - {*arrays}:
        raise ValueError(f"{path} is not a saved run: it lacks {', '.join(sorted(missing))}")
    facts["status"] = Status(**facts["status"])
    if not kind:
        return Run(**arrays, observables=observables, **facts)
    density = _density(kind, facts.pop("dim"), arrays.pop("last"))
    return DensityRun(density=density, **arrays, observables=observables, **facts)


def _density(kind: str, dim: int, coefficients: Array) -> Density:
    if kind == "ZonalDensity":
        return ZonalDensity(coefficients, dim)
    return SphereDensity(coefficients) if kind == "SphereDensity" else CircleDensity(coefficients)


def _weight(facts: Mapping[str, Parameter]) -> str:
    weight = f"kernel {facts['kernel']}" if facts.get("kernel") else f"beta {facts['beta']}"
    return weight + (f", noise {facts['noise']:g}" if facts.get("noise") else "")


def _summary(values: NDArray[Any]) -> str:
    if values.ndim == 1:
        return f"{values[0]:.6g} -> {values[-1]:.6g}"
    return f"shape {values.shape}"
