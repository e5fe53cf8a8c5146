"""What public functions take: one check for each kind of argument, each refusal one sentence that names it.

One rule for numbers: whatever has a real value is one (of any dtype, exact, certified), text and truth values are not;
whole numbers may come as floats, 3.0 is 3.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from math import inf, isfinite
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gegenflow.numerics.tokens.refusals import Refused, choose

SMALLEST_RTOL = 1e-13  # below it rounding, not the step size, decides the error estimate
MOST_TRACKED, MOST_TRACKED_NUMBERS = 256, 4_000_000
ROUNDING = 4  # units in the last place of t_end by which a time may lie beyond it, and is then moved there

Choice = TypeVar("Choice")


def check_number(
    name: str, value: Any, *, least: float = -inf, most: float = inf, above: float = -inf, below: float = inf
) -> float:
    """A finite number, as a float, within [least, most] and strictly between ``above`` and ``below``.

    >>> check_number("beta", np.float32(0.5), least=0), check_number("noise", "small")
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: noise small: it must be a number
    >>> check_number("amplitude", 1, above=0, below=1)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: amplitude 1: it must be finite, > 0 and < 1
    """
    number = _real(name, value)
    if not (isfinite(number) and least <= number <= most and above < number < below):
        bounds = {f">= {least:g}": least, f"> {above:g}": above, f"<= {most:g}": most, f"< {below:g}": below}
        parts = [text for text, bound in bounds.items() if isfinite(bound)]
        raise Refused(name, value, "it must be finite" + ", " * bool(parts) + " and ".join(parts))
    return number


def check_whole(name: str, value: Any, least: float = -inf, most: float = inf, *, why: str = "") -> int:
    """A whole number within [least, most], as an int; 3.0 is 3. ``why`` follows in the refusal.

    >>> check_whole("n", 3.0, 1), check_whole("n", 2.5, 1)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: n 2.5: it must be a whole number >= 1
    """
    exact = isinstance(value, int) and not isinstance(value, bool)
    number = 0.0 if exact else _real(name, value)
    whole = int(value) if exact else int(number) if isfinite(number) else 0
    if not (isfinite(number) and (exact or whole == number) and least <= whole <= most):
        parts = [f">= {least:g}"] * isfinite(least) + [f"<= {most:g}"] * isfinite(most)
        raise Refused(name, value, " ".join(["it must be a whole number", " and ".join(parts)]).strip() + why)
    return whole


def check_dim(dim: Any, least: int = 2) -> int:
    """The dimension of the space around the sphere.

    >>> check_dim(1)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: dim 1: it must be a whole number >= 2, as the sphere S^(dim-1) is in it
    """
    return check_whole("dim", dim, least, why=", as the sphere S^(dim-1) is in it")


def check_choice(name: str, value: Any, allowed: Collection[Choice]) -> Choice:
    """One of a few.

    >>> check_choice("model", "relu", ("usa", "sa"))
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: model relu: choose from usa, sa
    """
    if type(value) is str and value in allowed:
        return cast(Choice, value)
    for choice in allowed:
        alike = isinstance(choice, str) == isinstance(value, str) and not isinstance(value, bool)
        if alike and np.ndim(value) == 0 and choice == value:
            return choice
    raise Refused(name, "None" if value is None else value, choose(value, allowed))


def check_rng(rng: Any) -> np.random.Generator:
    """The generator that ``rng`` stands for, by ``numpy.random.default_rng``.

    >>> check_rng(-1)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: rng -1: it must be a whole number >= 0 or a numpy Generator
    """
    try:
        generator = np.random.default_rng(int(rng) if isinstance(rng, float) and rng.is_integer() else rng)
    except (TypeError, ValueError):
        generator = None
    if generator is None or isinstance(rng, np.random.RandomState):
        raise Refused("rng", rng, "it must be a whole number >= 0 or a numpy Generator")
    if not hasattr(getattr(generator.bit_generator, "seed_seq", None), "spawn"):
        raise Refused("rng", rng, "it was seeded in a way that gives no independent streams; use default_rng")
    return generator


def check_array(name: str, values: ArrayLike, shape: str, *dims: int | None) -> NDArray[np.float64]:
    """A float64 copy of an array of finite real numbers, with ``dims`` (None: any number of rows) told as ``shape``.

    >>> check_array("query_key", [[1, 2]], "(dim, dim)", 2, 2)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: query_key: it has shape (1, 2), expected (dim, dim) = (2, 2)
    >>> check_array("density", np.ma.masked_equal([1.0, 2.0], 2.0), "(n,)", None)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: density: 1 of its entries is masked and would be lost, fill or drop it
    """
    array = real_array(name, values)
    if len(dims) != array.ndim or any(dim not in (None, size) for dim, size in zip(dims, array.shape, strict=True)):
        wanted = f" = ({', '.join(map(str, dims))}{',' * (len(dims) == 1)})" if None not in dims else ""
        raise Refused(name, None, f"it has shape {array.shape}, expected {shape}{wanted}")
    if not np.isfinite(array).all():
        place = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise Refused(name, None, f"entry {place if len(place) > 1 else place[0]} is {array[place]}, not finite")
    return array


def real_array(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """A float64 copy, C-contiguous, of an array of real numbers of any dtype and byte order.

    >>> real_array("tokens", [["a"]])
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: tokens: it must be an array of real numbers, but has dtype <U1
    """
    if np.ma.isMaskedArray(values) and (masked := int(np.ma.count_masked(values))):  # type: ignore[no-untyped-call]
        are, them = ("is", "it") if masked == 1 else ("are", "them")
        raise Refused(name, None, f"{masked} of its entries {are} masked and would be lost, fill or drop {them}")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise Refused(name, None, f"it must be an array of real numbers: {error}") from None
    if array.dtype.kind not in "iuf":
        raise Refused(name, None, f"it must be an array of real numbers, but has dtype {array.dtype}")
    return np.array(array, dtype=np.float64, order="C")


def check_numbers(given: Mapping[str, object]) -> None:
    """Refuse anything but real numbers and None, by name.

    >>> check_numbers({"merge": None, "rtol": "small"})
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: rtol small: it must be a number
    """
    for name, value in given.items():
        if value is not None:
            _real(name, value)


def check_times(save_at: ArrayLike | None, t_end: Any, t_start: Any = 0.0) -> NDArray[np.float64]:
    """Times to save at, shape=[times]: sorted, within [t_start, t_end] to rounding; 101 equispaced ones by default.

    >>> check_times([0.5, 3.0], t_end=2.0)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: save_at: its times run from 0.5 to 3, they must lie within [0, 2]
    >>> check_times(np.arange(4) * 0.1, t_end=0.3)[-1]  # 3 * 0.1 is one rounding more
    np.float64(0.3)
    """
    first = check_number("t_start", t_start)
    last = check_number("t_end", t_end, least=first)
    if save_at is None:
        return np.linspace(first, last, 101) if last > first else np.array([first])
    times = real_array("save_at", save_at)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise Refused("save_at", None, "it must be a list of finite times")
    if (np.diff(times) < 0).any():
        raise Refused("save_at", None, "its times must not decrease")
    slack = ROUNDING * np.spacing(max(abs(first), abs(last)))
    if times.size and not (times[0] >= first - slack and times[-1] <= last + slack):
        span = f"{times[0]:g} to {times[-1]:g}"
        raise Refused("save_at", None, f"its times run from {span}, they must lie within [{first:g}, {last:g}]")
    return np.clip(times, first, last)


def check_track(track: int | ArrayLike | None, n: int, dim: int, times: int) -> NDArray[np.int64]:
    """Which of n tokens are tracked: those given, or so many of them, evenly spaced; at most 256 by default.

    >>> check_track(3, 10, 2, 100), check_track([4, 1], 10, 2, 100)
    (array([0, 3, 6]), array([4, 1]))
    >>> check_track(10**6, 10**6, 2, 10**8)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: track: 1,000,000 paths at 100,000,000 times take 1.6e+06 GB, ...
    """
    if track is None:
        track = max(1, min(n, MOST_TRACKED, MOST_TRACKED_NUMBERS // (dim * max(1, times))))
    if np.ndim(track) == 0:
        count = check_whole("track", track, 0, n)
        indices = np.arange(count, dtype=np.int64) * n // max(count, 1)
    else:
        indices = np.asarray(track)
        fits = indices.ndim == 1 and indices.dtype.kind in "iu" and ((indices >= 0) & (indices < n)).all()
        if (indices.size and not fits) or len({*indices.ravel().tolist()}) < indices.size:
            raise Refused("track", None, f"it must be a number of tokens, or different indices from 0 to {n - 1}")
    what, numbers = f"{indices.size:,} paths at {times:,} times", indices.size * dim * times
    check_room("track", what, numbers, "track fewer tokens or save at fewer times")
    return indices.astype(np.int64)


def check_room(name: str, what: str, numbers: int, remedy: str) -> None:
    """Refuse so many numbers if this machine has no memory for them, where it tells how much it has.

    >>> check_room("save_at", "the runs", 10**18, "save at fewer times")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: save_at: the runs take 8e+09 GB, ...; save at fewer times
    """
    if not hasattr(os, "sysconf"):
        return
    needed, there = 8 * numbers, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise Refused(name, None, f"{what} take {needed / 1e9:.2g} GB, this machine has {there / 1e9:.2g}; {remedy}")


def check_steps(rtol: Any, atol: Any, order: Any = 8, first_step: Any = None, span: float = inf) -> None:
    """Refuse tolerances, an order or a first step with which nothing can be integrated over a span of time.

    >>> check_steps(1e-20, 0.0)
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: rtol 1e-20: it must be finite, >= 1e-13 and < 1
    """
    check_number("rtol", rtol, least=SMALLEST_RTOL, below=1.0)
    check_number("atol", atol, least=0.0)
    check_choice("order", order, (5, 8))
    if first_step is not None and span > 0:
        check_number("first_step", first_step, above=0.0, most=span)


def _real(name: str, value: Any) -> float:
    """The value of a real number of any kind; nan and infinities pass."""
    if type(value) is float:
        return value
    try:
        vague = isinstance(value, str | bytes | bool | np.bool | complex | np.complexfloating) or np.ndim(value) > 0
        if not vague:
            return float(value)
    except (TypeError, ValueError, ArithmeticError):
        pass
    raise Refused(name, value if isinstance(value, str) and value else repr(value), "it must be a number")
