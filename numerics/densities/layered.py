r"""A density on the circle that layers with random weights move, as they move all tokens that are drawn from it."""

from __future__ import annotations

from math import pi

import numpy as np

from gegenflow.numerics.densities.circle import MOST_SAMPLES, CircleDensity, circle_of_moments
from gegenflow.numerics.densities.spectral import HIGHEST, LEAST_DEGREE, MORE_DEGREES, ROUNDING, TAIL
from gegenflow.numerics.fields.circle import circle_points, fourier_moments
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.integrators.driver import Breakdown
from gegenflow.numerics.integrators.layers import Layer, Push, layer_push, token_layer
from gegenflow.numerics.integrators.runge_kutta import Velocity
from gegenflow.numerics.integrators.stochastic import generator_words, set_generator
from gegenflow.numerics.tokens.geometry import Array

ALIASED = 1.25
"""Degrees that the sum for a moment holds, over those of its local frequency: exact to rounding from 1 on, measured."""
MORE = "raise max_degree, or follow tokens with simulate"


def density_layer(flow: Flow, *, step: float, rtol: float, atol: float, max_degree: int) -> Layer[CircleDensity]:
    r"""What a layer of a flow, of the size h = ``step``, makes of a density f on the circle, given a generator.

    .. math:: \int f' e^{-ik\theta} d\sigma = \int f e^{-ik\phi(\theta)} d\sigma, \qquad
              e^{i\phi(\theta)} = \frac{x + h\,v(x) + \sqrt h\,\xi(x)}{|\cdots|}, \quad x = e^{i\theta}

    with the attention v to the density, if the flow has any: f is carried by the map of :func:`token_layer`, with the
    push that tokens get from the same generator.  Mass is exact.  The integrals are sums over equispaced angles, twice
    as many where the map stretches so much that they would be aliased.  Half as many degrees more are taken where the
    highest quarter of them holds more than a tenth of ``atol`` + ``rtol`` \|a\|, or than rounding,
    :math:`10^{-15} K (1 + |a|)`.

    >>> from gegenflow.numerics.flows.parts import RandomLayers
    >>> layers = Flow(random_layers=RandomLayers("linear", layers=100))
    >>> layer = density_layer(layers, step=0.01, rtol=1e-9, atol=0.0, max_degree=64)
    >>> moved = layer(CircleDensity(np.zeros(0)), np.random.default_rng(0))
    >>> push = layer_push(layers, np.empty(0), 2)
    >>> tokens = token_layer(None, push, 0.01)(circle_points(np.arange(100) * pi / 50), np.random.default_rng(0))
    >>> bool(np.allclose(moved.coefficients[:2], np.sqrt(2) * tokens.mean(axis=0), rtol=0, atol=1e-12))
    True

    The layer raises :class:`Breakdown` where that takes more than ``max_degree`` degrees, or the circle passes close to
    its centre.  Source: derived here.
    """
    push = layer_push(flow, np.empty(0), 2)

    def layer(density: CircleDensity, rng: np.random.Generator) -> CircleDensity:
        words = generator_words(rng)
        wider = density.resized(max(density.max_degree, min(LEAST_DEGREE, max_degree)))
        while True:
            set_generator(rng, words)
            pushed = _pushed(wider, flow, push, step, rng)
            size = float(np.linalg.norm(pushed.coefficients))
            held = float(np.linalg.norm(pushed.coefficients[pushed.degrees > HIGHEST * pushed.max_degree]))
            if held <= max(TAIL * (atol + rtol * size), ROUNDING * pushed.max_degree * (1 + size)):
                return pushed
            if wider.max_degree >= max_degree:
                raise Breakdown(f"the density needs more than {max_degree} degrees", MORE)
            wider = wider.resized(min(int(MORE_DEGREES * wider.max_degree), max_degree))

    return layer


def _attention(density: CircleDensity, flow: Flow, points: int) -> Velocity | None:
    if not flow.attends:
        return None
    speed = density.velocity(flow, points)(density.coefficients)

    def field(tokens: Array, out: Array) -> None:
        np.stack([-speed * tokens[:, 1], speed * tokens[:, 0]], axis=1, out=out)

    return field


def _pushed(density: CircleDensity, flow: Flow, push: Push, step: float, rng: np.random.Generator) -> CircleDensity:
    finer, words = 1, generator_words(rng)
    while True:
        set_generator(rng, words)
        values, weights = density.samples(finer)
        tokens = circle_points(np.linspace(0.0, 2 * pi, len(values), endpoint=False))
        moved = token_layer(_attention(density, flow, len(values)), push, step)(tokens, rng)
        chord = np.linalg.norm(moved - np.roll(moved, 1, axis=0), axis=1).max() / 2
        turned = 2 * np.arcsin(min(1.0, float(chord)))
        if ALIASED * density.max_degree * (turned + 2 * pi / len(values)) <= 2 * pi:
            return circle_of_moments(fourier_moments(moved, values * weights, density.max_degree).conj())
        if len(values) == MOST_SAMPLES:
            raise Breakdown("a layer takes the circle through its centre, or nearly so", "try more layers")
        finer *= 2
