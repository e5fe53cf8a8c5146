"""The sums of attention by other means: extended precision for their error, and the libraries that users have.

Every peer takes tokens, shape=[n, dim], and beta, weighs all tokens 1/n, and returns the drift and the normaliser in
units of e^beta as :func:`gegenflow.numerics.fields.dense.dense_sums` does.  Transforms are given the coefficients of
the kernel and compiled loops around them, so that the transforms themselves are compared.
"""

from importlib.util import find_spec

import numpy as np
from numba import get_num_threads, njit, prange

from gegenflow.numerics.fields.compiled.elementary import angle
from gegenflow.numerics.fields.fourier import exponential_modes
from gegenflow.numerics.fields.legendre import exponential_sphere_modes

TOL = 1e-12  # of every transform
THREADS_FROM = 10_000  # tokens


def exact_sums(tokens, weights, beta, targets):
    r"""Drift and normaliser at some of the tokens, summed over all in extended precision.

    .. math:: F_i = P_{x_i} \sum_j w_j e^{-\beta |x_j - x_i|^2/2} (x_j - x_i), \qquad
              Z_i = \sum_j w_j e^{-\beta |x_j - x_i|^2/2}

    Differences of tokens, which are first put on the sphere to 19 digits, keep every force accurate relative to
    itself.  ``targets`` are the indices i.
    """
    places, weights = tokens.astype(np.longdouble), weights.astype(np.longdouble)
    places /= np.sqrt((places * places).sum(axis=1, keepdims=True))
    drift, normalizer = np.empty((len(targets), places.shape[1]), np.longdouble), np.empty(len(targets), np.longdouble)
    for row, x in enumerate(places[targets]):
        difference = places - x
        factor = weights * np.exp(-np.longdouble(beta) / 2 * (difference * difference).sum(axis=1))
        pull = factor @ difference
        drift[row], normalizer[row] = pull - (pull @ x) * x, factor.sum()
    return drift, normalizer


def lax_friedrichs(values, beta, t_end, ratio=0.02):
    r"""A density on the circle at equispaced angles by the scheme of arXiv 2410.23228, its convolution put right.

    .. math:: f_j \leftarrow \frac{f_{j+1} + f_{j-1}}{2} - \frac{\Delta t}{2\Delta x}
                              \big((fv)_{j+1} - (fv)_{j-1}\big), \qquad \Delta t = \text{ratio}\,\Delta x

    of order one: it adds the diffusion :math:`\Delta x^2 / (2 \Delta t)`.
    """
    points, step = len(values), 2 * np.pi / len(values)
    angle = step * np.arange(points)
    pull = np.fft.rfft(-np.exp(beta * np.cos(angle)) * np.sin(angle)) / points
    count = int(np.ceil(t_end / (ratio * step)))
    courant = t_end / count / (2 * step)
    for _ in range(count):
        flux = values * np.fft.irfft(pull * np.fft.rfft(values), points)
        values = (np.roll(values, -1) + np.roll(values, 1)) / 2 - courant * (np.roll(flux, -1) - np.roll(flux, 1))
    return values


def numpy_dense(tokens, beta):
    """Whole matrices, as in most scripts."""
    n = len(tokens)
    factor = np.exp(beta * (tokens @ tokens.T - 1))
    return _tangent(factor @ tokens / n, tokens), factor.sum(axis=1) / n


def torch_dense(tokens, beta):
    """The same with torch."""
    import torch

    places = torch.from_numpy(tokens)
    factor = torch.exp(beta * (places @ places.T - 1))
    pull = (factor @ places).numpy() / len(tokens)
    return _tangent(pull, tokens), factor.sum(1).numpy() / len(tokens)


def torch_attention(tokens, beta):
    """torch's scaled_dot_product_attention, which divides by the normaliser: SA, with a normaliser of one."""
    import torch

    x = torch.from_numpy(tokens)[None, None]
    mean = torch.nn.functional.scaled_dot_product_attention(x, x, x, scale=beta)[0, 0].numpy()
    return _tangent(mean, tokens), np.ones(len(tokens), tokens.dtype)


def ducc0_circle(tokens, beta):
    """Non-uniform Fourier transforms of ducc0: one of type 1 and one of type 2, to 1e-12."""
    from ducc0 import nufft

    angles, masses, modes = _angles(tokens), np.full(len(tokens), 1 / len(tokens), complex), _circle(beta)
    threads, top = _threads(tokens), len(modes.value) - 1
    points = {"coord": angles[:, None], "epsilon": TOL, "nthreads": threads}
    moments = nufft.nu2u(points=masses, forward=True, out=np.empty(2 * top + 1, complex), **points)
    return _turned(tokens, nufft.u2nu(grid=_response(modes) * moments, forward=False, **points))


def finufft_circle(tokens, beta):
    """The same two transforms by finufft."""
    import finufft

    angles, masses, modes = _angles(tokens), np.full(len(tokens), 1 / len(tokens), complex), _circle(beta)
    choices = {"eps": TOL, "nthreads": _threads(tokens)}
    moments = finufft.nufft1d1(angles, masses, 2 * len(modes.value) - 1, isign=-1, **choices)
    return _turned(tokens, finufft.nufft1d2(angles, _response(modes) * moments, isign=1, **choices))


def ducc0_sphere(tokens, beta):
    """Non-uniform spherical-harmonic transforms of ducc0: one analysis, a synthesis of values and one of slopes."""
    from ducc0 import sht

    modes, places = exponential_sphere_modes(float(beta), TOL), np.empty((len(tokens), 2))
    _fill_places(tokens, places)
    top, masses = len(modes.value) - 1, np.full((1, len(tokens)), 1 / len(tokens))
    common = {"lmax": top, "loc": places, "epsilon": TOL, "nthreads": _threads(tokens)}
    moments = sht.adjoint_synthesis_general(map=masses, spin=0, **common)
    degree = np.concatenate([np.arange(m, top + 1) for m in range(top + 1)])
    values, slopes = (4 * np.pi / (2 * degree + 1) * series[degree] for series in (modes.value, modes.potential))
    normalizer = sht.synthesis_general(alm=values * moments, spin=0, **common)[0]
    south, east = sht.synthesis_general(alm=slopes * moments, spin=1, mode="DERIV1", **common)
    drift = np.empty_like(tokens)
    _fill_gradient(tokens, south, east, drift)
    return drift, normalizer


PEERS = {
    "numpy": ("numpy", numpy_dense),
    "torch": ("torch", torch_dense),
    "torch SDPA": ("torch", torch_attention),
    "ducc0 nufft": ("ducc0", ducc0_circle),
    "finufft": ("finufft", finufft_circle),
    "ducc0 sht": ("ducc0", ducc0_sphere),
}
"""By name: the library that must be installed, and the sums."""


def installed(name):
    """Whether the library of a peer is there."""
    return find_spec(PEERS[name][0]) is not None


def _tangent(pull, tokens):
    return pull - np.einsum("id,id->i", pull, tokens)[:, None] * tokens


def _circle(beta):
    return exponential_modes(float(beta), TOL)


def _response(modes):
    # coefficients of speed + i normaliser at the degrees -top..top, for sum_j w_j e^{-im phi_j}
    force, value = 0.5j * modes.force, 0.5j * modes.value
    return np.concatenate([-force[:0:-1] + value[:0:-1], [2 * value[0]], force[1:] + value[1:]])


def _threads(tokens):
    return get_num_threads() if len(tokens) >= THREADS_FROM else 1


def _angles(tokens):
    angles = np.empty(len(tokens))
    _fill_angles(np.ascontiguousarray(tokens), angles)
    return angles


def _turned(tokens, sums):
    drift, normalizer = np.empty_like(tokens), np.empty(len(tokens))
    _fill_drift(tokens, sums, drift, normalizer)
    return drift, normalizer


@njit(parallel=True, fastmath={"contract"}, error_model="numpy")
def _fill_angles(tokens, angles):
    for j in prange(len(angles)):
        angles[j] = angle(tokens[j, 1], tokens[j, 0])


@njit(parallel=True)
def _fill_drift(tokens, sums, drift, normalizer):
    for j in prange(len(sums)):
        drift[j, 0], drift[j, 1] = -tokens[j, 1] * sums[j].real, tokens[j, 0] * sums[j].real
        normalizer[j] = sums[j].imag


@njit(parallel=True, fastmath={"contract"}, error_model="numpy")
def _fill_places(tokens, places):
    for j in prange(len(tokens)):
        x, y, z = tokens[j]
        longitude = angle(y, x)
        places[j, 0], places[j, 1] = angle(np.sqrt(x * x + y * y), z), longitude + (2 * np.pi if longitude < 0 else 0)


@njit(parallel=True, error_model="numpy")
def _fill_gradient(tokens, south, east, drift):
    for j in prange(len(tokens)):
        x, y, z = tokens[j]
        radius = np.sqrt(x * x + y * y)
        drift[j, 0] = (south[j] * z * x - east[j] * y) / radius
        drift[j, 1] = (south[j] * z * y + east[j] * x) / radius
        drift[j, 2] = -south[j] * radius
