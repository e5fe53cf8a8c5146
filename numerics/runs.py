"""What a simulation returns: the run, its file and its table."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.geometry import Array
from gegenflow.numerics.integrate import Status

ARRAYS = ("t", "tokens", "trajectories", "weights", "merges")
OBSERVABLE = "observable:"

Parameter = str | int | float | None


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """Result of :func:`gegenflow.numerics.simulate`; prints as a table.

    ``t`` shape=[times] are the saved times that were reached; ``tokens`` shape=[n, dim] the last state, at
    the end time if it was reached; ``observables`` maps names to arrays shape=[times, ...]; ``trajectories``
    shape=[times, tracked, dim] follow the first tokens; ``weights`` shape=[n]; ``merges`` shape=[events, 2] the times
    at which tokens merged and the number of clusters after; ``evaluations`` of the field.  ``field_error`` estimates
    how far inexact sums may have moved a token by the end, the divergence of neighbouring paths aside, 0 for exact
    ones and None for a run with noise or one that ended early; ``error``,
    where asked for, is the largest distance of a token at the end from a run at a hundredth of the tolerances.
    """

    t: Array
    tokens: Array
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
        weight = f"kernel {facts['kernel']}" if facts.get("kernel") else f"beta {facts['beta']}"
        weight += f", noise {facts['noise']:g}" if facts.get("noise") else ""
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
        arrays = {name: getattr(self, name) for name in ARRAYS}
        arrays |= {OBSERVABLE + name: values for name, values in self.observables.items()}
        facts = {
            "status": asdict(self.status),
            "evaluations": self.evaluations,
            "field_error": self.field_error,
            "error": self.error,
            "parameters": dict(self.parameters),
            "version": self.version,
            "seconds": self.seconds,
        }
        text = json.dumps(facts)
        with open(path, "wb") as file:
            np.savez_compressed(file, facts=text, **arrays)


def load(path: str | Path) -> Run:
    """Read a run that :meth:`Run.save` wrote.

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
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise ValueError(f"{path} is not a saved run: it is no npz archive")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                contents = {name: archive[name] for name in archive.files}
        except BadZipFile as error:
            raise ValueError(f"{path} is not a saved run: {error}") from error
    if missing := {*ARRAYS, "facts"} - {*contents}:
        raise ValueError(f"{path} is not a saved run: it lacks {', '.join(sorted(missing))}")
    facts = json.loads(str(contents["facts"]))
    observables = {key.removeprefix(OBSERVABLE): array for key, array in contents.items() if key.startswith(OBSERVABLE)}
    arrays = {name: contents[name] for name in ARRAYS}
    status = Status(**facts.pop("status"))
    return Run(**arrays, observables=observables, status=status, **facts)


def _summary(values: NDArray[Any]) -> str:
    if values.ndim == 1:
        return f"{values[0]:.6g} -> {values[-1]:.6g}"
    return f"shape {values.shape}"
