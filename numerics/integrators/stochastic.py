r"""Tokens with noise of their own: Strang splitting of drift and Brownian motion on the sphere, weak order 2.

.. math:: dX_i = v_i(X)\,dt + \sqrt{2\nu}\,dW_i

with :math:`W_i` independent Brownian motions of the sphere and :math:`\nu` = ``noise``, the diffusion coefficient: the
generator of the noise is :math:`\nu` times the Laplace-Beltrami operator.
"""

from collections.abc import Callable
from math import ceil, isfinite

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from gegenflow.numerics.fields.flow import Flow
from gegenflow.numerics.integrators.driver import Integration, Status, broken_off
from gegenflow.numerics.integrators.runge_kutta import Velocity
from gegenflow.numerics.tokens.arguments import check_times
from gegenflow.numerics.tokens.geometry import Array, check_tokens

STEP_FRACTION = 0.1


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite ends in a status
def integrate_noisy(
    field: Velocity,
    tokens: ArrayLike,
    *,
    noise: float,
    step: float,
    rng: np.random.Generator,
    t_end: float,
    save_at: ArrayLike | None = None,
    on_save: Callable[[float, Array], object] = lambda t, tokens: None,
    progress: bool = False,
) -> Integration:
    r"""Follow :math:`dX_i = v_i(X)\,dt + \sqrt{2\nu}\,dW_i` from t = 0 to ``t_end`` in fixed steps of at most ``step``.

    .. math:: e^{h(\nu\Delta + v\cdot\nabla)} = e^{h\nu\Delta/2}\, e^{h v\cdot\nabla}\, e^{h\nu\Delta/2} + O(h^3)

    Half a step of :func:`brownian_step`, a whole :func:`drift_step`, half a Brownian step.  Steps land on the times of
    ``save_at``; ``field``, ``save_at``, ``on_save`` and the ways to end are those of
    :func:`gegenflow.numerics.integrators.adaptive.integrate`.

    Without drift the mean of tokens at a pole decays as :math:`e^{-\nu (d-1) t}`:

    >>> poles = np.repeat([[0.0, 0.0, 1.0]], 40_000, axis=0)
    >>> end = integrate_noisy(lambda x, out: out.fill(0), poles, noise=0.5, step=0.05,
    ...                       rng=np.random.default_rng(0), t_end=1.0)
    >>> bool(abs(end.tokens[:, 2].mean() - np.exp(-1.0)) < 3 * 0.5 / 200), str(end.status)
    (True, 'reached t = 1')

    Raises ValueError for bad tokens or times, ``noise`` negative or not finite, and ``step`` not positive.  Source:
    Strang, SIAM J. Numer. Anal. 5 (1968); the order is measured in the tests.
    """
    state = check_tokens(tokens)
    times = check_times(save_at, t_end)
    check_noise(noise, step)
    reached, saved, steps = 0.0, 0, 0
    bar = tqdm(total=t_end, disable=None if progress else True, unit="t", leave=False)
    try:
        for target in [*times.tolist(), t_end]:
            start, count = reached, ceil((target - reached) / step - 1e-9)
            for i in range(1, count + 1):
                h = (target - start) / count
                state = brownian_step(state, noise * h / 2, rng)
                state = drift_step(field, state, h)
                state = brownian_step(state, noise * h / 2, rng)
                bar.update(start + i * h - reached)
                reached, steps = start + i * h, steps + 1
            reached = target
            if saved < len(times):
                on_save(reached, state)
                saved += 1
        status = Status(True, f"reached t = {t_end:g}")
    except (KeyboardInterrupt, FloatingPointError) as cause:
        status = broken_off(cause, reached, t_end, "try a smaller step or t_end")
    finally:
        bar.close()
    return Integration(times[:saved], state, reached, steps, 4 * steps, status)


def brownian_step(tokens: Array, duration: float, rng: np.random.Generator) -> Array:
    r"""Tokens, shape=[n, dim], after Brownian motion of generator :math:`\Delta` for a time, each its own.

    .. math:: x \leftarrow \cos|\xi|\,x + \sin|\xi|\,\xi/|\xi|, \qquad
              \xi \sim N\!\left(0, \frac{2\tau}{1 + (d-2)\tau/3}\,I_{d-1}\right) \perp x, \quad \tau = \text{duration}

    Exact on the circle; elsewhere the divisor, from :math:`E|\xi|^2 = 2(d-1)\tau(1 - (d-2)\tau/3 + \dots)` of the true
    angle, makes degree k decay by :math:`e^{-L_k\tau} + O(\tau^3)`.

    >>> start = np.repeat([[1.0, 0.0]], 90_000, axis=0)  # cos of an angle of variance 2 tau
    >>> end = brownian_step(start, 0.5, np.random.default_rng(0))
    >>> bool(abs(end[:, 0].mean() - np.exp(-0.5)) < 3 * 0.45 / 300)
    True

    Source: derived here.
    """
    dim = tokens.shape[1]
    push = rng.standard_normal(tokens.shape) * np.sqrt(2 * duration / (1 + (dim - 2) * duration / 3))
    push -= np.einsum("id,id->i", push, tokens)[:, None] * tokens
    angle = np.sqrt(np.einsum("id,id->i", push, push))[:, None]
    return _unit(np.cos(angle) * tokens + np.sinc(angle / np.pi) * push)


def drift_step(field: Velocity, tokens: Array, step: float) -> Array:
    """Tokens, shape=[n, dim], after one classical Runge-Kutta step of order 4, put back on the sphere.

    >>> turn = lambda x, out: np.stack([-x[:, 1], x[:, 0]], axis=1, out=out)
    >>> bool(np.allclose(drift_step(turn, np.array([[1.0, 0.0]]), 0.1), [[np.cos(0.1), np.sin(0.1)]], atol=0.1**5 / 60))
    True

    Raises FloatingPointError where the field is not finite.  Source: Hairer, Norsett, Wanner, Solving ODEs I, II.1.
    """
    slope = np.zeros_like(tokens)
    total = np.zeros_like(tokens)
    for ahead, weight in ((0.0, 1 / 6), (0.5, 1 / 3), (0.5, 1 / 3), (1.0, 1 / 6)):
        field(_unit(tokens + ahead * step * slope), slope)
        if not np.isfinite(slope).all():
            raise FloatingPointError("the velocity is not finite")
        total += weight * slope
    return _unit(tokens + step * total)


def default_step(flow: Flow, dim: int) -> float:
    r"""A step that resolves both the noise and the fastest motion that the attention weight allows.

    .. math:: h = \frac{0.1}{\max(\nu(d-1),\,\lambda)}, \qquad \lambda = \max_t|h(t)| \ \text{(USA)}, \quad
              1 + \max_t|h'(t)| / \max_t|h(t)| \ \text{(SA)}

    For the exponential :math:`\lambda = e^{|\beta|}` and :math:`1 + |\beta|`; for :math:`\beta \ge 0` tokens contract
    into a cluster at rate :math:`e^\beta` (USA) or 1 (SA), and its width under noise is then right to 0.2 %.

    >>> default_step(Flow(beta=0, noise=0.01), 3), default_step(Flow(beta=9, noise=1, model="sa"), 11)
    (0.1, 0.01)

    Source: derived here.
    """
    attention, model = flow.attention, flow.model
    if callable(attention):
        overlap = np.linspace(-1, 1, 2001)
        value = attention(overlap)
        rate = np.abs(value).max()
        if model == "sa":
            rate = 1 + np.abs(np.gradient(value, overlap)).max() / (rate or 1)
    else:
        rate = np.exp(abs(attention)) if model == "usa" else 1 + abs(attention)
    return STEP_FRACTION / float(max(flow.noise * (dim - 1), rate))


def check_noise(noise: float, step: float) -> None:
    """Refuse a noise that is negative or not finite, and a step that is not positive and finite.

    >>> check_noise(-0.1, 0.01)
    Traceback (most recent call last):
    ValueError: noise is -0.1: the diffusion coefficient 1/kappa must be finite and >= 0
    """
    if not (isfinite(noise) and noise >= 0):
        raise ValueError(f"noise is {noise}: the diffusion coefficient 1/kappa must be finite and >= 0")
    if not (isfinite(step) and step > 0):
        raise ValueError(f"step is {step}: it must be finite and > 0")


def _unit(rows: Array) -> Array:
    unit: Array = rows / np.sqrt(np.einsum("id,id->i", rows, rows))[:, None]
    return unit
