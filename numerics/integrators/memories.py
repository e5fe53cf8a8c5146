"""What steppers remember, checked: a memory that was read from a file goes on only where it fits the run."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.integrators.adaptive import AdaptiveSteps
from gegenflow.numerics.integrators.compiled_steps import HIGH, LOW
from gegenflow.numerics.integrators.layers import LayeredSteps
from gegenflow.numerics.integrators.merging import MergingSteps
from gegenflow.numerics.integrators.stochastic import NoisySteps
from gegenflow.numerics.tokens.geometry import Array, check_tokens

ROUNDINGS = 4  # of the time, by which the clock of a stepper may differ from it
NEAR = 1e-12  # the same, relative, where the clock is in another unit, and the distance of tokens in one place
GRID = 1e-6  # of a step: what rounding makes of times on the grid of fixed steps

Memory = Mapping[str, NDArray[Any]]


def check_memory(memory: Memory, stepper: type, tokens: Array, *, step: float | None, unit: float) -> None:
    """Refuse what no ``stepper`` of tokens, shape=[n, dim], remembers at the time that the memory holds.

    ``step`` is that of fixed steps, ``unit`` what the time is multiplied by on the clock of few tokens.

    >>> check_memory({"time": np.array(np.nan)}, AdaptiveSteps, np.eye(2), step=None, unit=1.0)
    Traceback (most recent call last):
    ValueError: memory: time is nan, it must be >= 0
    """
    time = float(_number(memory, "time", least=0.0))
    if "sums" in memory:
        _number(memory, "sums", above=0.0, most=1.0)
    if stepper is LayeredSteps and step is not None:
        check_layers(memory, time / step)
    elif stepper is NoisySteps and step is not None:
        check_layers(memory, time / step)
        if _array(memory, "grid", tokens.shape, "f").size:
            check_tokens(memory["grid"], "memory: grid")
        _number(memory, "key", kinds="iu", least=0)
    elif stepper is AdaptiveSteps:
        check_next_step(memory)
        if "best" in memory:  # a file of an earlier version lacks it
            check_next_step(memory, "best")
        _check_clock(_number(memory, "clock"), _number(memory, "low"), time, ROUNDINGS * np.spacing(time))
    else:
        clock = _numbers(memory, "clock", 5)
        if not (clock[LOW + 1 :] >= 0).all():
            raise ValueError("memory: clock holds a step < 0")
        _check_clock(clock[HIGH] / unit, clock[LOW] / unit, time, NEAR * time)
    if stepper is MergingSteps:
        _check_clusters(memory, tokens, time)


def check_next_step(memory: Memory, name: str = "next_step") -> None:
    """Refuse a next step, or another size of one, that is none; nan is that of a stepper that has taken none.

    >>> check_next_step({"next_step": np.array(0.0)})
    Traceback (most recent call last):
    ValueError: memory: next_step is 0.0, it must be > 0
    """
    if not np.isnan(_array(memory, name, (), "f")):
        _number(memory, name, above=0.0)


def check_layers(memory: Memory, steps: float) -> None:
    """Refuse a number of steps of one size, or a state of their generator, that is none after so many ``steps``.

    >>> check_layers({"number": np.array(3)}, 1.5)
    Traceback (most recent call last):
    ValueError: memory: number is 3 after 1.5 steps
    """
    inside = steps - int(_number(memory, "number", kinds="iu", least=0))
    if not -GRID <= inside <= 1 + GRID:
        raise ValueError(f"memory: number is {memory['number']} after {steps:g} steps")
    words = _array(memory, "rng", (6,), "u").tolist()
    if not words[2] % 2 or words[4] > 1 or words[5] >= 2**32:
        raise ValueError("memory: rng is no state of a generator")


def _check_clusters(memory: Memory, tokens: Array, time: float) -> None:
    labels = _array(memory, "labels", (len(tokens),), "iu")
    found, first = np.unique(labels, return_index=True)
    if not np.array_equal(found, np.arange(len(found))):
        raise ValueError("memory: labels do not number clusters")
    if np.abs(tokens - tokens[first][labels]).max() > NEAR:
        raise ValueError("memory: labels join tokens that are apart")
    sizes = _array(memory, "sizes", (len(found),), "f")
    if not (sizes < inf).all():
        raise ValueError("memory: sizes are no logarithms of sizes")
    since = _numbers(memory, "since", len(tokens))
    if not ((since >= 0) & (since <= time * (1 + NEAR))).all():
        raise ValueError(f"memory: since is not within [0, {time:g}]")


def _check_clock(clock: float, low: float, time: float, slack: float) -> None:
    if not (abs(clock - time) <= slack and abs(low) <= slack):
        raise ValueError(f"memory: clock is {clock:g} + {low:g} at the time {time:g}")


def _number(
    memory: Memory, name: str, *, kinds: str = "iuf", least: float = -inf, above: float = -inf, most: float = inf
) -> Any:
    value = _array(memory, name, (), kinds)[()]
    allowed = [f">= {least:g}"] * (least > -inf) + [f"> {above:g}"] * (above > -inf) + [f"<= {most:g}"] * (most < inf)
    if not (np.isfinite(value) and value >= least and (value > above) and value <= most):
        raise ValueError(f"memory: {name} is {value}, it must be {' and '.join(allowed) or 'finite'}")
    return value


def _numbers(memory: Memory, name: str, size: int) -> Array:
    values: Array = _array(memory, name, (size,), "f")
    if not np.isfinite(values).all():
        raise ValueError(f"memory: {name} is not finite")
    return values


def _array(memory: Memory, name: str, shape: tuple[int, ...], kinds: str) -> NDArray[Any]:
    if name not in memory:
        raise ValueError(f"memory lacks {name}")
    array = memory[name]
    if array.shape != shape or array.dtype.kind not in kinds:
        raise ValueError(f"memory: {name} has shape {array.shape} and dtype {array.dtype}, expected shape {shape}")
    return array
