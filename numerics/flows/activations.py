"""Activations of random layers: functions of arrays, by their names or as they are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit, ndtr

from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused, choose

Activation = str | Callable[[Array], NDArray[np.floating]]

LEAK = 0.01
"""The slope of the leaky ReLU below zero."""
WIDEST = 12.0
"""Of standard normal numbers: beyond are fewer than 1e-32."""


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _leaky_relu(x: Array) -> Array:
    return np.where(x > 0, x, LEAK * x)


def _linear(x: Array) -> Array:
    return x


def _gelu(x: Array) -> Array:
    gelu: Array = x * ndtr(x)
    return gelu


def _step(x: Array) -> Array:
    return np.heaviside(x, 0.5)


def _raised_tanh(x: Array) -> Array:
    raised: Array = 1 + np.tanh(x)
    return raised


def _silu(x: Array) -> Array:
    silu: Array = x * expit(x)
    return silu


ACTIVATIONS: dict[str, Callable[[Array], NDArray[np.floating]]] = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "linear": _linear,
    "erf": erf,
    "gelu": _gelu,
    "cos": np.cos,
    "sin": np.sin,
    "exp": np.exp,
    "step": _step,
    "tanh": np.tanh,
    "1+tanh": _raised_tanh,
    "sigmoid": expit,
    "silu": _silu,
}


def activation_function(activation: Activation) -> Callable[[Array], NDArray[np.floating]]:
    """The activation as a function of arrays: by its name, or what is given, checked on [-12, 12].

    >>> activation_function("leaky_relu")(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    >>> activation_function("swish")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: activation swish: choose from relu, ... or give a function of an array

    Raises ValueError for any other name, and a function that does not map an array to finite values of its shape.
    """
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    if not callable(activation):
        shown = activation if isinstance(activation, str) else repr(activation)
        raise Refused("activation", shown, f"{choose(shown, ACTIVATIONS)}, or give a function of an array")
    _check(activation)
    return activation


def activation_name(activation: Activation) -> str:
    """What a run records of an activation.

    >>> activation_name("tanh"), activation_name(np.tanh)
    ('tanh', 'tanh')
    """
    return activation if isinstance(activation, str) else str(getattr(activation, "__name__", None) or repr(activation))


def _check(activation: Callable[[Array], NDArray[np.floating]]) -> None:
    places, name = np.linspace(-WIDEST, WIDEST, 402).reshape(2, 201), activation_name(activation)
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(activation(places.copy()))
    except (TypeError, ValueError) as error:
        raise Refused("activation", name, f"it does not take an array: {error}") from error
    if values.shape != places.shape or values.dtype.kind not in "fiub":
        raise Refused("activation", name, f"it maps an array of shape {places.shape} to {values.dtype} {values.shape}")
    if not np.isfinite(values).all():
        raise Refused("activation", name, f"it must be finite on [-{WIDEST:g}, {WIDEST:g}]")
