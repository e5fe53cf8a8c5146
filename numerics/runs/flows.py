"""Flows in files: their numbers as facts, their matrices as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gegenflow.numerics.flows.flow import DEFAULTS, Flow
from gegenflow.numerics.flows.parts import Causal, Head, RandomLayers
from gegenflow.numerics.flows.weights import kernel_name
from gegenflow.numerics.tokens.refusals import Refused

PARTS: dict[str, type] = {"causal": Causal, "random_layers": RandomLayers}

COMPOSED = ("heads", *PARTS)
"""Parts of a flow that are values of their own; in the facts of a file their text stands for them."""

Arrays = Mapping[str, NDArray[Any]]


def flow_contents(part: Any, prefix: str = "") -> tuple[dict[str, Any] | None, dict[str, NDArray[Any]]]:
    """The facts and arrays of a flow, or of a part of one; no facts where a kernel is a function.

    >>> flow_contents(Flow(beta=2, value=[[1, 0], [0, -1]]))[0]
    {'beta': 2.0, 'noise': 0.0, 'model': 'usa', 'layer_norm': 'post', 'heads': [], 'scaled': False}
    >>> flow_contents(Flow(kernel=np.tanh))
    (None, {})
    """
    facts: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(part):
        name, value = field.name, getattr(part, field.name)
        if callable(value):
            return None, {}
        if isinstance(value, np.ndarray):
            arrays[prefix + name] = value
        elif name == "heads" or name in PARTS:
            several = value if name == "heads" else [] if value is None else [value]
            found = [flow_contents(each, f"{prefix}{name}:{i}:") for i, each in enumerate(several)]
            if any(told is None for told, _ in found):
                return None, {}
            told = [told for told, _ in found]
            facts |= {"heads": told} if name == "heads" else {name: told[0]} if told else {}
            for _, held in found:
                arrays |= held
        elif value is not None:
            facts[name] = value
    return facts, arrays


def flow_parameters(flow: Flow) -> dict[str, Any]:
    """What the parameters of a run say of its flow: arguments again, but for a kernel, of which they keep the name.

    >>> {name: told for name, told in flow_parameters(Flow(beta=2, noise=0.1)).items() if told}
    {'beta': 2.0, 'noise': 0.1, 'model': 'usa', 'layer_norm': 'post'}
    """
    return {
        "beta": flow.beta,
        "scaled": flow.scaled,
        "kernel": None if flow.kernel is None else kernel_name(flow.kernel),
        "query_key": flow.query_key,
        "value": flow.value,
        "noise": flow.noise,
        "model": flow.model,
        "layer_norm": flow.layer_norm,
        **{name: part for name in COMPOSED if (part := getattr(flow, name))},
    }


def check_recorded(flow: Flow, parameters: Mapping[str, Any]) -> None:
    """Refuse a flow other than that of which the parameters of a run tell.

    >>> check_recorded(Flow(beta=2), {"beta": 3.0})
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: flow Flow(beta=2.0): the run had beta 3.0, not 2.0
    """
    for name, part in flow_parameters(flow).items():
        told = parameters.get(name, DEFAULTS.get(name))
        if name in COMPOSED and told == repr(part):
            continue
        if np.ndim(told) != np.ndim(part) or not np.array_equal(told, part):
            shown = f"{name} {told}, not {part}" if np.ndim(told) == np.ndim(part) == 0 else f"another {name}"
            raise Refused("flow", repr(flow), f"the run had {shown}")


def read_flow(facts: object, arrays: Arrays, kind: type = Flow, prefix: str = "") -> Any:
    """The flow, or part of one, with these contents, checked as any flow is when it is made.

    >>> flow = Flow(beta=2, value=[[1, 0], [0, -1]])
    >>> read_flow(*flow_contents(flow)) == flow
    True

    Raises ValueError for facts of another shape, and for parts that this version does not know.
    """
    names = {field.name for field in fields(kind)}
    if not isinstance(facts, dict) or not {*facts} <= names:
        raise ValueError(f"its {kind.__name__} is none that this version knows: {facts!r}")
    given: dict[str, Any] = {name: arrays[prefix + name] for name in names if prefix + name in arrays}
    for name, told in facts.items():
        if name == "heads" and isinstance(told, list):
            given[name] = [read_flow(each, arrays, Head, f"{prefix}heads:{i}:") for i, each in enumerate(told)]
        else:
            given[name] = read_flow(told, arrays, PARTS[name], f"{prefix}{name}:0:") if name in PARTS else told
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"its {kind.__name__} cannot be made: {error}") from error
