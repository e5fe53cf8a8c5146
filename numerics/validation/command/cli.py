"""The console command ``gegenflow``: tables of theory, runs, and the validation of one by the other.

Exit status: 0 fine, 1 a check failed or the work was cut short, 2 bad input (one line on stderr).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gegenflow import numerics as nm
from gegenflow import theory as th
from gegenflow.numerics.validation.command.arguments import Parser, at_least, checked, integers, one_line, output
from gegenflow.numerics.validation.report import finite
from gegenflow.theory.exact.arguments import check_degree, check_dim, check_noise, exact_number
from gegenflow.theory.phases.tables import boundary_rows, critical_rows, growth_rows

if TYPE_CHECKING:
    from gegenflow.numerics.runs.run import Run

TABLES = ("text", "json", "csv", "markdown", "latex")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: those of the process) and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, ArithmeticError, MemoryError, OSError) as error:
        sys.stderr.write(one_line(str(error) or type(error).__name__))
        return 2
    except KeyboardInterrupt:
        print("gegenflow: interrupted", file=sys.stderr)
        return 1


def derive(options: argparse.Namespace) -> int:
    """derive the growth rate from the mean-field equation, verifying every step"""
    derivation = th.linearize(dim=options.dim or th.d, model=options.model)
    holds = derivation.check()
    if options.format == "latex":
        print(derivation.latex())
    elif options.format == "json":
        steps = [
            {"title": step.title, "lhs": str(step.lhs), "rhs": str(step.rhs), "checked": step.how}
            for step in derivation.steps
        ]
        facts = {"dim": str(derivation.dim), "model": derivation.model, "rate": str(derivation.rate)}
        _print_json({**facts, "checked": holds, "steps": steps})
    else:
        print(derivation)
        print("every step holds" if holds else "a step does not hold")
    return int(not holds)


def growth(options: argparse.Namespace) -> int:
    """certified growth rates of the harmonics of the uniform state"""
    dims, degrees = _flat(options.dim), _flat(options.degree)
    facts = {"model": options.model, "kernel": _kernel(options), "noise": options.noise or 0, "digits": options.digits}
    return _print_table(growth_rows(dims, degrees, options.beta, **facts), options.format)


def critical(options: argparse.Namespace) -> int:
    """certified critical inverse temperatures: row k is the boundary between degrees k and k+1"""
    dims, degrees = _flat(options.dim), _flat(options.degree or [])
    if options.kernel is None and options.noise is None:
        if not degrees:
            raise ValueError("--degree: the degrees are needed, such as 1:8 (or --kernel or --noise, with --between)")
        if options.between:
            raise ValueError("--between: it goes with --kernel or --noise; otherwise give --degree")
        return _print_table(critical_rows(dims, degrees, options.digits), options.format)
    if not options.between:
        raise ValueError("--between: the ends of an interval of beta are needed with --kernel or --noise, such as 1 8")
    kernel = th.attention_kernel(options.kernel) if options.kernel else th.exponential()
    if th.beta not in kernel.symbols:
        raise ValueError(f"--kernel {options.kernel}: it holds no beta, so no boundary in beta")
    facts = {"model": options.model, "noise": options.noise or 0, "digits": options.digits}
    rows = boundary_rows(dims, kernel, tuple(options.between), max_degree=options.max_degree, **facts)
    return _print_table((row for row in rows if not degrees or row["degree"] in degrees), options.format)


def phase(options: argparse.Namespace) -> int:
    """the degree that grows fastest at a temperature, where that changes, and which wins from finitely many tokens"""
    if options.amplitude is not None and not options.tokens:
        raise ValueError("--amplitude: it goes with --tokens")
    if options.tokens and options.noise:
        raise ValueError("--tokens: the law of finitely many tokens is for --noise 0")
    kernel = _kernel(options)
    beta = options.beta or "0"
    here = th.phase(
        beta,
        options.dim,
        model=options.model,
        kernel=kernel,
        noise=options.noise or 0,
        digits=options.digits,
        max_degree=options.max_degree,
    )
    facts = {"dim": here.dim, "beta": options.beta, "model": here.model, "degree": here.degree}
    facts |= {name: value for name in ("kernel", "noise") if (value := getattr(options, name)) is not None}
    lower = here.lower.value if here.lower else "0" if here.degree <= 1 and kernel is None else None
    facts |= {"rate": here.rate.value, "lower": lower, "upper": here.upper.value if here.upper else None}
    if options.tokens:
        law = th.finite_tokens.selection_law(
            options.dim,
            beta,
            options.tokens,
            amplitude=0.3 if options.amplitude is None else options.amplitude,
            model=options.model,
            kernel=kernel and kernel.at({th.beta: beta}),
        )
        facts |= {"tokens": law.tokens, "amplitude": law.amplitude, "emergence_time": law.mean}
        facts |= {"selection": {str(degree): chance for degree, chance in law.selection.items()}}
        facts |= {"already": law.already, "error": law.error}
    if options.format == "json":
        _print_json(facts)
    else:
        print(*_phase_lines(facts), sep="\n")
    return 0


def _phase_lines(facts: dict[str, Any]) -> Iterator[str]:
    yield ", ".join(f"{name} {facts[name]}" for name in ("dim", "beta", "kernel", "noise") if facts.get(name)) + (
        f", {facts['model'].upper()}"
    )
    lower, upper = (facts[end] or "(none found)" for end in ("lower", "upper"))
    if facts["degree"]:
        yield f"degree {facts['degree']} grows fastest, at rate {facts['rate']},"
        yield f"as it does for beta from {lower} to {upper}"
    else:
        yield f"the uniform state is stable, as it is for beta from {lower} to {upper}"
    if "tokens" in facts:
        yield f"from {facts['tokens']} uniform tokens the first degree to reach amplitude {facts['amplitude']:g} is"
        chances = facts["selection"] | {"any, at the start already,": facts["already"]}
        yield from (f"  {degree} with probability {chance:.4f}" for degree, chance in chances.items() if chance >= 5e-5)
        yield f"after a mean time of {facts['emergence_time']:.6g}"


def _kernel(options: argparse.Namespace) -> Any:
    """The kernel, None for the exponential one; each needs its beta, if it holds one, and no other symbol."""
    if options.kernel is None:
        if options.beta is None:
            raise ValueError("--beta: the inverse temperature is needed")
        return None
    kernel = th.attention_kernel(options.kernel)
    if options.beta is None and th.beta in kernel.symbols:
        raise ValueError(f"--beta: the kernel {options.kernel} needs it")
    if others := sorted(str(symbol) for symbol in kernel.symbols - {th.beta}):
        raise ValueError(f"--kernel {options.kernel}: a number is needed in the place of {', '.join(others)}")
    return kernel


def simulate(options: argparse.Namespace) -> int:
    """follow tokens from a uniform start or a file; say what they become, and of a file what it holds"""
    from gegenflow.numerics.validation.agreement import simulation_beta

    tokens = _start(options)
    weight = _weight(options)
    value = simulation_beta(options.beta) if weight is None else None
    held = nm.prospects(tokens, options.beta, model=options.model) if options.start and not weight else ()
    rng = None if options.start and not options.noise else options.rng
    motion = {"beta": value, "kernel": weight, "noise": float(options.noise or 0), "model": options.model}
    accuracy = {"rtol": options.rtol, "atol": options.rtol / 100, "method": options.method, "merge": options.merge}
    accuracy |= {"estimate_error": options.estimate_error}
    run = nm.simulate(tokens, t_end=options.time, rng=rng, progress=True, **motion, **accuracy)
    if options.out:
        run.save(options.out)
    facts = _outcome(options, run, rng)
    if options.format == "json":
        degrees = [asdict(prospect) | {"emergence": finite(prospect.emergence)} for prospect in held]
        _print_json(facts | ({"degrees": degrees} if held else {}))
        return int(not run.status.ok)
    if held:
        print(th.Table(tuple({name: _short(value) for name, value in asdict(prospect).items()} for prospect in held)))
        holds = ", ".join(str(p.degree) for p in sorted(held, key=lambda p: p.degree) if p.contained) or "none"
        print(f"beyond the noise of uniform tokens they hold: {holds}")
        print(f"the theory expects degree {held[0].degree} first\n")
    print(*(f"{name:<14}{_short(value)}" for name, value in facts.items()), sep="\n")
    return int(not run.status.ok)


def _weight(options: argparse.Namespace) -> Callable[[Any], Any] | None:
    """The attention weight of --kernel as a function of an array of overlaps, None for the exponential one."""
    kernel = _kernel(options)
    if kernel is None:
        return None
    import numpy as np

    formula = kernel.function({} if options.beta is None else {th.beta: options.beta})

    def weight(overlap: Any) -> Any:
        return formula(overlap) + np.zeros_like(overlap)

    weight.__name__ = options.kernel
    return weight


def _outcome(options: argparse.Namespace, run: Run, rng: int | None) -> dict[str, Any]:
    """What became of the tokens; the energy is None where it overflows."""
    beta, (n, dim) = float(run.parameters["beta"] or 0), run.tokens.shape
    try:
        energy = None if options.kernel else nm.Energy()(run.tokens, run.weights, beta, options.model)
    except ValueError:
        energy = None
    clusters = nm.Clusters()(run.tokens, run.weights, beta, options.model)
    facts = {"dim": dim, "beta": options.beta, "model": options.model, "tokens": n, "time": options.time, "rng": rng}
    facts |= {name: value for name in ("kernel", "noise") if (value := getattr(options, name))}
    facts |= {"method": run.parameters["method"], "energy": energy, "clusters": clusters, "status": str(run.status)}
    facts |= {"ok": run.status.ok, "evaluations": run.evaluations, "wall_seconds": round(run.seconds, 3)}
    facts |= {"field_error": run.field_error} | ({} if run.error is None else {"error": run.error})
    return facts | ({"out": str(options.out)} if options.out else {})


def _start(options: argparse.Namespace) -> Any:
    if not options.start:
        if options.normalize:
            raise ValueError("--normalize: it goes with --start; a uniform start has unit vectors already")
        return nm.uniform(options.tokens or 2000, options.dim or 2, rng=options.rng)
    try:
        tokens = nm.read_tokens(options.start, normalize=options.normalize)
    except OSError as error:
        raise ValueError(f"--start {options.start}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"--start {error}".replace("gegenflow.numerics.normalize", "--normalize")) from error
    for name, asked, held in (("dim", options.dim, tokens.shape[1]), ("tokens", options.tokens, len(tokens))):
        if asked not in (None, held):
            raise ValueError(f"--start {options.start}: it has {name} {held}, not {asked}; leave --{name} out")
    return tokens


def validate(options: argparse.Namespace) -> int:
    """compare simulation with theory, with error bars"""
    models = (options.model,) if options.model else ("usa", "sa")
    report = nm.validate(
        dims=_flat(options.dim or [[2, 3]]),
        beta=options.beta,
        models=models,
        tokens=options.tokens,
        runs=options.runs,
        rng=options.rng,
        progress=True,
    )
    if options.format == "json":
        _print_json(report.to_dict())
    else:
        print(f"gegenflow {version('gegenflow')}  theory against simulation, beta {options.beta}\n{report}")
    if options.figure and report.checks:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 1 + 0.18 * len(report.checks)), layout="constrained")
        nm.validation.plot_checks(report, ax=figure.add_subplot())
        figure.savefig(options.figure)
    return int(not report.passed)


def _file(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("'': the name of a file is needed")
    return Path(text)


def _print_table(rows: Iterator[Any], form: str) -> int:
    """Print the rows; on an interrupt those computed so far."""
    done, status = [], 0
    try:
        for row in rows:
            done.append(row)
    except KeyboardInterrupt:
        print(f"gegenflow: interrupted after {len(done)} rows", file=sys.stderr)
        status = 1
    if done or form == "json":
        print(th.Table(tuple(done)).to(form))
    elif not status:
        print("gegenflow: no row to print: there is no such boundary", file=sys.stderr)
    return status


def _print_json(facts: Any) -> None:
    print(json.dumps(facts, indent=2, allow_nan=False))


def _short(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _flat(lists: Sequence[Sequence[int]]) -> list[int]:
    return list(chain.from_iterable(lists))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="gegenflow", description="Attention as a flow of tokens on the sphere.")
    parser.add_argument("--version", action="version", version=f"gegenflow {version('gegenflow')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    dim = checked(lambda value: check_dim(value), "dim", int)
    dims = integers(lambda value: check_dim(value), "dim")
    degrees = integers(lambda value: check_degree(value), "degree")
    beta = checked(lambda text: exact_number(text), "beta", str)
    noise = checked(lambda text: check_noise(text), "noise", str)
    count = checked(at_least(1), "", int)

    def command(run: Callable[[argparse.Namespace], int], formats: Sequence[str] = ("text", "json")) -> Parser:
        sub: Parser = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        sub.set_defaults(run=run)
        sub.add_argument("--format", choices=formats, default="text")
        return sub

    def model(sub: Parser, default: str | None = "usa") -> None:
        sub.add_argument("--model", choices=("usa", "sa"), default=default, help="unnormalised or softmax attention")

    def table(run: Callable[[argparse.Namespace], int], degrees_required: bool = True) -> Parser:
        sub = command(run, TABLES)
        sub.add_argument("--dim", type=dims, nargs="+", action="extend", required=True, help="dimensions: 2 3 8 or 2:8")
        sub.add_argument(
            "--degree",
            type=degrees,
            nargs="+",
            action="extend",
            required=degrees_required,
            help="degrees: 1 2 or 1:8",
        )
        return sub

    def temperature(sub: Parser, default: str | None = None, required: bool = True) -> None:
        text = "inverse temperature, kept exact" + (f" (default {default})" if default else "")
        sub.add_argument("--beta", type=beta, required=required and default is None, default=default, help=text)

    def interaction(sub: Parser) -> None:
        sub.add_argument(
            "--kernel", help="attention weight, a formula in t = <x, y> and beta, such as 'relu(t)' or '1 + beta*t'"
        )
        sub.add_argument("--noise", type=noise, help="1/kappa of dX = drift dt + sqrt(2/kappa) dW (default 0)")

    def limit(sub: Parser) -> None:
        sub.add_argument("--max-degree", type=count, help="highest degree to compare, for kernels without closed forms")

    def digits(sub: Parser) -> None:
        sub.add_argument("--digits", type=count, default=15, help="significant digits, all of them proved")

    sub = command(derive, ("text", "json", "latex"))
    sub.add_argument("--dim", type=dim, help="a dimension (default: any, as the symbol d)")
    model(sub)
    sub = table(growth)
    temperature(sub, required=False)
    model(sub)
    interaction(sub)
    digits(sub)
    sub = table(critical, degrees_required=False)
    model(sub)
    interaction(sub)
    sub.add_argument("--between", type=beta, nargs=2, help="with --kernel or --noise: all boundaries in this interval")
    limit(sub)
    digits(sub)
    sub = command(phase)
    sub.add_argument("--dim", type=dim, required=True)
    temperature(sub, required=False)
    model(sub)
    interaction(sub)
    limit(sub)
    sub.add_argument("--tokens", type=checked(at_least(2), "", int), help="which degree wins from so many tokens?")
    sub.add_argument("--amplitude", type=float, help="level of A_k that counts as emerged (default 0.3)")
    digits(sub)
    sub = command(simulate)
    temperature(sub, required=False)
    model(sub)
    interaction(sub)
    sub.add_argument("--dim", type=dim, help="dimension of a uniform start (default 2)")
    sub.add_argument("--tokens", type=count, help="tokens of a uniform start (default 2000)")
    sub.add_argument("--start", type=_file, help="your own tokens: a .npy file, one unit vector a row")
    sub.add_argument("--normalize", action="store_true", help="make the rows of --start unit vectors")
    sub.add_argument("--time", type=float, default=1.0, help="how long to follow them (default 1)")
    sub.add_argument("--rtol", type=float, default=1e-8, help="tolerance a step (default 1e-8)")
    sub.add_argument("--method", default="auto", help="auto (default), dense, tiles, circle, cells or sphere")
    sub.add_argument("--merge", type=float, help="tokens this close go on as one cluster: for very long times")
    sub.add_argument("--estimate-error", action="store_true", help="measure the error by a second, more exact run")
    sub.add_argument("--rng", type=checked(at_least(0), "", int), default=0, help="seed of the start (default 0)")
    sub.add_argument("--out", type=output(), help="save the run here (npz; gegenflow.numerics.load reads it)")
    sub = command(validate)
    sub.add_argument("--dim", type=dims, nargs="+", action="extend", help="dimensions (default 2 3)")
    temperature(sub, "5")
    model(sub, None)
    sub.add_argument("--tokens", type=count, help="tokens of a random start (default 20000 in dim 2, else 2500)")
    sub.add_argument("--runs", type=count, default=32, help="independent runs behind a rate (default 32)")
    sub.add_argument("--rng", type=checked(at_least(0), "", int), default=0, help="seed (default 0)")
    sub.add_argument(
        "--figure", type=output(".png", ".pdf", ".svg"), help="draw the checks into this file (png, pdf, svg)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
