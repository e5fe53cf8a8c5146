"""``gegenflow simulate``: what tokens become.

>>> from gegenflow.numerics.validation.command.main import main
>>> main("simulate --beta 1 --tokens 20 --time 0".split())  # doctest: +ELLIPSIS
dim           2
beta          1
...
0
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.integrators.interrupts import listening, take_interrupt
from gegenflow.numerics.tokens.reading import holds_run
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import communicator, sharing
from gegenflow.numerics.validation.checks import finite
from gegenflow.numerics.validation.command.arguments import Real, Whole, source, target
from gegenflow.numerics.validation.command.interaction import add_interaction, kernel_of
from gegenflow.numerics.validation.command.output import keep, provenance, short, show, show_json, telling
from gegenflow.numerics.validation.command.parser import add_beta, add_choice, add_dim, add_model, add_seed, subcommand
from gegenflow.numerics.validation.holdings import NEAR

if TYPE_CHECKING:
    from gegenflow.numerics.flows.flow import Flow
    from gegenflow.numerics.runs.run import Run
    from gegenflow.numerics.tokens.geometry import Array
    from gegenflow.numerics.validation.command.parser import Commands
    from gegenflow.numerics.validation.holdings import Prospect

TOKENS = Whole("the number of tokens must be an integer", 1, 100_000_000)
TIME = Real(">= 0", lambda time: time >= 0)
RTOL = Real(">= 1e-13 and < 1", lambda rtol: 1e-13 <= rtol < 1)
MERGE = Real("> 0", lambda distance: distance > 0)
METHODS = ("auto", "dense", "tiles", "circle", "cells", "sphere")


def add(commands: Commands) -> None:
    """The options of the subcommand."""
    help = "follow tokens from a uniform start or a file; say what they become, and of a file what it holds"
    sub = subcommand(commands, "simulate", run, help)
    add_beta(sub)
    add_model(sub)
    sub.set_defaults(model=None)
    add_interaction(sub)
    text = (
        "weigh by exp(beta (t - 1)), for any beta: times of unnormalised attention are e^beta longer, energies smaller"
    )
    sub.add_argument("--scaled", action="store_true", help=text)
    add_dim(sub, "dimension of a uniform start (default 2)")
    sub.add_argument("--tokens", type=TOKENS, help=f"tokens of a uniform start, {TOKENS} (default 2000)")
    text = "your own tokens, one unit vector a row, or angles (.npy, .npz, .csv, .txt, .safetensors), or a saved run"
    text += ", which goes on where it ended: as it was if no --beta or --kernel or its own is given"
    sub.add_argument("--start", type=source, help=text)
    sub.add_argument("--normalize", action="store_true", help="make the rows of --start unit vectors")
    sub.add_argument("--time", type=TIME, default=1.0, help=f"how long to follow them, {TIME} (default 1)")
    sub.add_argument("--rtol", type=RTOL, help=f"tolerance a step without noise, {RTOL} (default 1e-8)")
    add_choice(sub, "--method", "how to take the sums, auto by the fastest that is exact enough", *METHODS)
    text = f"tokens this close go on as one cluster, {MERGE}, at most a tenth of --rtol: for very long times"
    sub.add_argument("--merge", type=MERGE, help=text)
    sub.add_argument("--estimate-error", action="store_true", help="measure the error by a second, more exact run")
    add_seed(sub, "seed of the start and of the noise")
    sub.set_defaults(rng=None)
    sub.add_argument("--out", type=target(), help="save the run here (npz; gegenflow.numerics.load reads it)")


def run(options: Namespace) -> int:
    """Follow the tokens; print what they held and became, and save the run."""
    with telling("reading the tokens" if options.start else "drawing the tokens"):
        saved = _saved(options)
        tokens, weights = _start(options, saved)
    flow, comm = _flow(options, saved), communicator()
    if comm is not None:
        tokens, weights = _part(tokens, weights, saved, comm)
    plain = flow.plain and comm is None and flow.layer_norm == "post" and not flow.noise
    plain = plain and options.start is not None and flow.beta is not None and flow.beta >= 0
    with telling("looking at what the tokens hold"), listening():
        held = nm.prospects(tokens, options.beta, model=options.model, scaled=flow.scaled) if plain else ()
    try:
        outcome, status = _follow(options, flow, tokens, weights, saved, comm), 0
    except KeyboardInterrupt as stop:
        if (interrupted := getattr(stop, "run", None)) is None:
            raise
        outcome, status = interrupted, 1
    ends, whole = _ends(flow, outcome, comm)
    status = status if whole else 1
    facts = _outcome(options, outcome, ends, comm)
    if comm is not None and comm.rank > 0:
        pass  # the first tells of all
    elif options.format == "json":
        degrees = [asdict(prospect) | {"emergence": finite(prospect.emergence)} for prospect in held]
        show_json(facts | ({"verdict": held[0].verdict, "degrees": degrees} if held else {}))
    else:
        show("\n".join([*_holdings(held, flow), *(f"{name:<13} {short(value)}" for name, value in facts.items())]))
    with telling(f"writing {options.out}"):
        return max(status, int(not outcome.status.ok), keep(_file(options.out, comm), outcome.save))


def _part(tokens: Array, weights: Array | None, saved: Run | None, comm: Any) -> tuple[Array, Array | None]:
    """The tokens of this process among those that share them."""
    if saved is not None:
        raise Refused("start", None, "a saved run goes on in one process; start several from tokens")
    whole = np.full(len(tokens), 1 / len(tokens)) if weights is None else weights
    return np.array_split(tokens, comm.size)[comm.rank], np.array_split(whole, comm.size)[comm.rank]


def _file(path: Path | None, comm: Any) -> Path | None:
    """The file of this process: run.npz is run.0.npz, run.1.npz, ... where several share the tokens."""
    return path if path is None or comm is None else path.with_suffix(f".{comm.rank}{path.suffix}")


def _saved(options: Namespace) -> Run | None:
    """The saved run that is to go on, None where the start is another one."""
    if not options.start:
        return None
    with told_of(options):
        saved = nm.load(options.start) if holds_run(options.start) else None
        if isinstance(saved, nm.DensityRun):
            raise ValueError("it holds the run of a density, not of tokens")
    return saved


def _flow(options: Namespace, saved: Run | None) -> Flow:
    """What moves the tokens: that of the options, or of a saved run where they have none."""
    from gegenflow.numerics.validation.case import simulation_beta

    if saved is not None and saved.flow is not None and options.beta is None and options.kernel is None:
        for name, value in (("model", options.model), ("noise", options.noise), ("scaled", options.scaled or None)):
            if value is not None:
                raise Refused(
                    name,
                    None if value is True else value,
                    "the saved run goes on with its own; give --beta or --kernel for another",
                )
        options.model, options.noise = saved.flow.model, _told(saved.flow.noise)
        options.beta = None if saved.flow.beta is None else _told(saved.flow.beta)
        return saved.flow
    if saved is not None and saved.flow is None and options.beta is None and options.kernel is None:
        what = f"the file does not hold the kernel of its run, {saved.parameters.get('kernel')}; give --kernel"
        raise Refused("start", options.start, what)
    options.model = options.model or "usa"
    motion: dict[str, Any] = {"model": options.model, "noise": float(options.noise or 0)}
    if options.noise and not motion["noise"] and Fraction(options.noise):
        raise Refused("noise", options.noise, "it is too small for a simulation in float64")
    if (kernel := kernel_of(options)) is None:
        try:
            return nm.Flow(beta=simulation_beta(options.beta), scaled=options.scaled, **motion)
        except Refused as error:
            raise Refused(error.name, options.beta if error.name == "beta" else error.value, error.allowed) from error
    if options.scaled:
        raise Refused("scaled", None, "it goes with --beta, not with --kernel")
    return nm.Flow(kernel=kernel if options.beta is None else kernel.at(beta=options.beta), **motion)


def _start(options: Namespace, saved: Run | None) -> tuple[Array, Array | None]:
    """The tokens to start from and their weights, None where all weigh the same."""
    if not options.start:
        if options.normalize:
            raise Refused("normalize", None, "it goes with --start; a uniform start has unit vectors already")
        n, dim = options.tokens or 2000, options.dim or 2
        try:
            return nm.uniform(n, dim, rng=options.rng or 0), None
        except MemoryError as error:
            raise Refused(
                "n", n, f"in dim {dim} they take {8 * n * dim / 2**30:,.0f} GiB, more than there is"
            ) from error
    if saved is None:
        with told_of(options):
            tokens, weights = nm.read_tokens(options.start, normalize=options.normalize), None
    else:
        tokens, weights = saved.tokens, saved.weights
        if options.normalize:
            raise Refused("normalize", None, "the tokens of a saved run go on as they are")
    for name, asked, held in (("dim", options.dim, tokens.shape[1]), ("tokens", options.tokens, len(tokens))):
        if asked not in (None, held):
            raise Refused("start", options.start, f"it has {name} {held}, not {asked}; leave --{name} out")
    return tokens, weights


@contextmanager
def told_of(options: Namespace) -> Iterator[None]:
    """What a file is refused for, told of --start."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Refused("start", options.start, reason.removeprefix(f"{options.start}: ")) from error


def _follow(options: Namespace, flow: Flow, tokens: Array, weights: Array | None, saved: Run | None, comm: Any) -> Run:
    atol = None if options.rtol is None else options.rtol / 100
    accuracy = {"rtol": options.rtol, "method": options.method, "merge": options.merge}
    own = all(value in (None, "auto") for value in accuracy.values()) and not options.estimate_error
    if saved is not None and own and _moves(flow, saved):
        if options.rng is not None:
            raise Refused("rng", options.rng, "the saved run goes on with the random numbers of its own")
        return saved.extend(saved.reached + options.time, flow=flow, progress=True)
    accuracy |= {"atol": atol, "estimate_error": options.estimate_error, "rng": _seed(options)}
    told = comm is None or comm.rank == 0
    return nm.simulate(tokens, flow, weights=weights, t_end=options.time, comm=comm, progress=told, **accuracy)


def _moves(flow: Flow, saved: Run) -> bool:
    """Whether it is the flow that a saved run can go on with, so that it may be one run with what follows."""
    from gegenflow.numerics.flows.weights import kernel_name

    if "time" not in saved.memory or saved.flow is not None or flow.kernel is None:
        return "time" in saved.memory and saved.flow == flow
    told = {"kernel": kernel_name(flow.kernel), "noise": flow.noise, "model": flow.model, "layer_norm": "post"}
    plain = saved.parameters.get("query_key") is None and saved.parameters.get("value") is None
    return plain and all(saved.parameters.get(name) == value for name, value in told.items())


def _seed(options: Namespace) -> int | None:
    return None if options.start and not options.noise else options.rng or 0


def _told(number: float) -> str:
    return repr(number).removesuffix(".0")


def _ends(flow: Flow, run: Run, comm: Any) -> tuple[dict[str, Any], bool]:
    """Energy and clusters at the end, None where an interrupt came before them, and whether none did.

    The energy is also None where it overflows, or is not known for a kernel; clusters where processes share the tokens.
    """
    scale = nm.Clusters()
    found: dict[str, Any] = {"energy": None, "clusters": None}
    found |= {"cluster_angle": scale.angle, "cluster_coherence": scale.coherence}
    with telling("energy and clusters at the end"), listening():
        try:
            with suppress(Refused), sharing(comm):
                found["energy"] = nm.Energy()(run.tokens, run.weights, flow)
            found["clusters"] = scale(run.tokens, run.weights, flow) if comm is None else None
        except KeyboardInterrupt:
            take_interrupt()
            return found, False
    return found, True


def _outcome(options: Namespace, run: Run, ends: dict[str, Any], comm: Any) -> dict[str, Any]:
    """What became of the tokens."""
    n, dim = run.tokens.shape
    n = n if comm is None else comm.allreduce(n)
    facts = {"dim": dim, "beta": options.beta, **provenance(options), "tokens": n, "time": options.time}
    facts |= {"reached": run.reached, "scaled": bool(run.parameters.get("scaled"))}
    if run.flow is not None and not (run.flow.plain and run.flow.layer_norm == "post"):
        matrices = {"query_key": run.flow.query_key, "value": run.flow.value}
        facts |= {name: None if matrix is None else matrix.tolist() for name, matrix in matrices.items()}
        facts |= {"layer_norm": run.flow.layer_norm}
    facts |= {"start": str(options.start) if options.start else None, "normalize": options.normalize}
    facts |= {name: run.parameters.get(name) for name in ("method", "rtol", "atol", "order", "step", "merge")}
    facts |= {"rng": run.parameters.get("rng"), **ends, "status": str(run.status)}
    facts |= {"ok": run.status.ok, "evaluations": run.evaluations, "wall_seconds": round(run.seconds, 3)}
    facts |= {"processes": 1 if comm is None else comm.size, "field_error": run.field_error, "error": run.error}
    return facts | ({"out": str(options.out)} if options.out else {})


def _holdings(held: Sequence[Prospect], flow: Flow) -> list[str]:
    """What text says of the degrees that a start holds."""
    if not held:
        return []
    told = [{name: value for name, value in asdict(prospect).items() if name != "verdict"} for prospect in held]
    rows = tuple({name: short(value) for name, value in row.items()} for row in told)
    contained = ", ".join(str(p.degree) for p in sorted(held, key=lambda p: p.degree) if p.contained) or "none"
    by = "the linear theory" if held[0].verdict == NEAR else "their own growth at t = 0"
    clock = ", at rates and a time of the scaled weight" if flow.scaled else ""
    expected = f"{held[0].verdict}; by {by} degree {held[0].degree} comes first{clock}\n"
    return [str(th.Table(rows)), f"beyond the noise of uniform tokens they hold: {contained}", expected]
