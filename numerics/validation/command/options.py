"""The options that stand for the arguments of functions, and the sentence that a user sees of an error."""

from __future__ import annotations

from collections.abc import Mapping

OPTIONS: Mapping[str, str] = {
    "activation": "--activation",
    "all": "--all",
    "amplitude": "--amplitude",
    "beta": "--beta",
    "between": "--between",
    "bias": "--bias",
    "caption": "--caption",
    "clusters": "--clusters",
    "codewords": "--codewords",
    "columns": "--columns",
    "decay": "--decay",
    "degree": "--degree",
    "degrees": "--degree",
    "digits": "--digits",
    "dim": "--dim",
    "dims": "--dim",
    "estimate_error": "--estimate-error",
    "figure": "--figure",
    "format": "--format",
    "heads": "--heads",
    "kernel": "--kernel",
    "kind": "--kind",
    "label": "--label",
    "mass": "--mass",
    "max_degree": "--max-degree",
    "merge": "--merge",
    "method": "--method",
    "model": "--model",
    "models": "--model",
    "n": "--tokens",
    "noise": "--noise",
    "normalize": "--normalize",
    "order": "--order",
    "overlap": "--overlap",
    "path": "--start",
    "start": "--start",
    "ratio": "--ratio",
    "resultant": "--resultant",
    "rng": "--rng",
    "rtol": "--rtol",
    "runs": "--runs",
    "scaled": "--scaled",
    "scheme": "--scheme",
    "solid": "--solid",
    "state": "--state",
    "t_end": "--time",
    "time": "--time",
    "tokens": "--tokens",
    "budget": "--budget",
    "dask": "--dask",
    "folder": "--out",
    "mpi": "--mpi",
    "observe": "--observe",
    "out": "--out",
    "repeat": "--repeat",
    "run": "--run",
    "times": "--times",
    "workers": "--workers",
}
"""The option that sets each argument by which a function may refuse a value (``Refused.name``)."""


def sentence(error: BaseException) -> str:
    r"""What a user sees of an error: one line, with the option that was typed in the place of the argument.

    >>> from gegenflow.numerics.tokens.refusals import Refused
    >>> sentence(Refused("t_end", -1, "it must be >= 0"))
    'gegenflow: --time -1: it must be >= 0\n'
    >>> sentence(FileNotFoundError(2, "No such file or directory", "run.npz"))
    'gegenflow: run.npz: No such file or directory\n'
    """
    from gegenflow.numerics.tokens.refusals import Refused as RefusedByNumerics
    from gegenflow.theory.exact.refusals import Refused as RefusedByTheory

    if isinstance(error, RefusedByNumerics | RefusedByTheory):
        text = str(type(error)(OPTIONS.get(error.name, error.name), error.value, error.allowed))
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        text = str(error) or type(error).__name__
    return line(text)


def line(text: str) -> str:
    r"""One line of the command on standard error.

    >>> line("two\nlines")
    'gegenflow: two lines\n'
    """
    return f"gegenflow: {' '.join(text.split())}\n"
