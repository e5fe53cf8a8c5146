"""Results are values: equal when equal, hashable, the same after a copy, a pickle or a trip to another process."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import Field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


class Value:
    """What a frozen dataclass with arrays is made of: ``@dataclass(frozen=True, eq=False) class Row(Value)``.

    Two are equal where they are of one class and their fields are equal, those with ``compare=False`` aside: arrays bit
    for bit, of one shape and dtype, nan equal to nan. Arrays are read-only, also after a copy or a pickle.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, eq=False)
    ... class Row(Value):
    ...     numbers: NDArray[Any]
    >>> Row(np.array([1.0, np.nan])) == Row(np.array([1.0, np.nan])), Row(np.ones(2)) == Row(np.ones(2, dtype=int))
    (True, False)
    >>> Row(np.ones(2)).numbers[0] = 3
    Traceback (most recent call last):
    ValueError: assignment destination is read-only

    Source: derived here.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __post_init__(self) -> None:
        self.__setstate__(dict(self.__dict__))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: sealed(value) for name, value in state.items()})

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return contents(self) == contents(other)

    def __hash__(self) -> int:
        return hash(contents(self))


def sealed(value: Any) -> Any:
    """A read-only view of an array, a mapping of such views, or anything else as it is.

    >>> sealed({"rates": np.ones(2)})["rates"].flags.writeable
    False
    """
    if isinstance(value, np.ndarray):
        view = value.view()
        view.setflags(write=False)
        return view
    return {name: sealed(part) for name, part in value.items()} if isinstance(value, Mapping) else value


def contents(value: object) -> Hashable:
    """What decides whether two values are equal, and their hash.

    >>> contents([1, {"a": float("nan")}]) == contents((1, {"a": float("nan")}))
    True
    """
    if isinstance(value, Value):
        return type(value), *(contents(getattr(value, f.name)) for f in fields(value) if f.compare)
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, _bits(value)
    if isinstance(value, Mapping):
        return frozenset((name, contents(part)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(contents, value))
    return "nan" if isinstance(value, float) and value != value else value


def _bits(array: NDArray[Any]) -> bytes:
    if array.dtype.kind in "fc" and np.isnan(array).any():
        array = np.where(np.isnan(array), np.nan, array)
    return array.tobytes()
