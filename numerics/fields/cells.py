"""The velocity field of many tokens on the circle by equal cells: a cost per token that no kernel changes.

Each cell gathers its tokens into the moments of degree 0 to 7, fast Fourier transforms convolve them with the
kernel, and polynomials of degree 7 in each cell give the sums at its tokens.  Accuracy is relative to the largest
force that the kernel allows, as in :mod:`gegenflow.numerics.fields.circle`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numba import njit, prange
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from gegenflow.numerics.fields.compiled.cell_vectors import add_powers, two_polynomials
from gegenflow.numerics.fields.compiled.elementary import angle
from gegenflow.numerics.fields.fourier import circle_modes
from gegenflow.numerics.fields.sums import Method, NotSmooth, Pair, Size, Sums, room_for_sums
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.compiling import one_at_a_time
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.tokens.sharing import added_up

TERMS = 8  # local moments a cell; the intrinsics of cell_vectors are written for it
FROM = 2000  # tokens: measured break-even with modes is between 750 (beta 1000) and 2000 (beta 1)
MOST_CELLS = 2**18
MOST_CHUNKS = 16  # tables of moments filled side by side
BLOCK = 256  # tokens whose positions are read again from the first-level cache
PARALLEL_FROM = 60_000  # tokens: measured break-even of two threads with one is between 50,000 and 80,000


@dataclass(frozen=True, eq=False)
class CellKernel:
    r"""A kernel prepared for equal cells of the circle, each of half-width :math:`a = \pi/\text{cells}`.

    .. math:: e^{imau} = \sum_{p < 8} \alpha_{mp} u^p + \varepsilon_m(u), \qquad |u| \le 1

    ``basis`` holds :math:`\alpha_{mp}`, shape=[modes + 1, 8]; ``spectrum`` the Fourier coefficients of the force and
    of the kernel, shape=[modes + 1, 2]; ``error`` estimates what drift and normaliser can be off by, relative to the
    largest force and the largest value of the kernel, rounding included.
    """

    cells: int
    basis: NDArray[np.complex128]
    spectrum: NDArray[np.complex128]
    error: float


class Cells(Method):
    """Equal cells of the circle, for many tokens or their angles."""

    name, dims, series = "cells", frozenset({2}), True

    def pays(self, n: int, dim: int, flow: Flow) -> bool:
        """From a number of tokens on, whatever the kernel."""
        return n >= FROM

    def prepare(self, flow: Flow, size: Size, tol: float) -> Sums:
        """The cells of the kernel, to a tolerance."""
        kernel = flow.kernel
        cells = cell_kernel(lambda gap: kernel(1 - gap), tol) if kernel else exponential_cells(flow.beta, tol)
        return Sums(partial(cell_sums, kernel=cells), cells.error, angles=True)


def cell_kernel(kernel: Callable[[Array], Array], tol: float = 1e-12) -> CellKernel:
    r"""Cells for a kernel, a function of the gap 1 - t in [0, 2] as for :func:`circle_modes`.

    .. math:: \text{error} = \text{error of the modes}
              + \frac{\sum_m |c_m| \max_u |\varepsilon_m| (2 + \max_u |\varepsilon_m|)}{\max |h|}

    over the Fourier coefficients of the kernel, and likewise of its force: tokens are gathered and the sums evaluated
    with the same polynomials.  The number of cells, :math:`2^k` or :math:`3\cdot 2^k`, is the smallest that keeps the
    second term below 3/4 of ``tol``.

    >>> kernel = cell_kernel(lambda gap: 1 / (1 + 10 * gap), tol=1e-9)
    >>> kernel.error < 1e-9, cell_kernel(lambda gap: 1 / (1 + 10 * gap), tol=1e-3).cells < kernel.cells
    (True, True)

    Raises ValueError for ``tol`` outside [1e-14, 1) and as :func:`circle_modes` does.
    Source: derived here, by the triangle inequality over the modes.
    """
    if not 1e-14 <= tol < 1:
        raise Refused("tol", tol, "the tolerance of the cells must lie in [1e-14, 1)")
    modes = circle_modes(kernel, tol / 4)
    sizes = np.abs([modes.force, modes.value]) / _largest(kernel)[:, None]
    degrees = np.arange(len(modes.value))
    cells = 16
    while cells <= MOST_CELLS:
        if cells > 2 * degrees[-1]:
            basis, mismatch = _local_basis(np.pi * degrees / cells)
            error = float((sizes @ (mismatch * (2 + mismatch))).max())
            if error <= 0.75 * tol:
                spectrum = np.column_stack([1j * modes.force, modes.value]).astype(np.complex128) * (cells / 2)
                spectrum[0] *= 2
                return CellKernel(cells, basis, spectrum, error + modes.error)
        cells = 4 * cells // 3 if cells % 3 == 0 else 3 * cells // 2
    raise NotSmooth(f"the kernel needs more than {MOST_CELLS} cells at tol = {tol:g}")


@lru_cache(maxsize=64)
def exponential_cells(beta: float, tol: float = 1e-12) -> CellKernel:
    r"""Cells for the attention kernel in units of :math:`e^\beta`, :math:`h(t) = e^{\beta(t-1)}`; remembered.

    A kernel ten times narrower needs about ten times the cells:

    >>> 8 < exponential_cells(1e4).cells / exponential_cells(1e2).cells < 12
    True
    """
    return cell_kernel(lambda gap: np.exp(-beta * gap), tol)


def cell_sums(
    places: Array, weights: Array, kernel: CellKernel, out: Pair | None = None, *, normalizer: bool = True
) -> Pair:
    r"""Drift and normaliser, as :func:`dense_sums` for any kernel on the circle, of tokens or of angles.

    ``places`` are tokens, shape=[n, 2], with a drift of that shape, or angles, shape=[n], any real numbers, with their
    speeds, as for :func:`gegenflow.numerics.fields.circle.circle_sums`; half the memory, and 0.7 of the time.

    .. math:: A_{kp} = \sum_{j \in k} w_j u_j^p, \qquad
              \bar\mu_m = \sum_p \bar\alpha_{mp} \sum_k e^{-imc_k} A_{kp}, \qquad
              Z_i = \sum_p u_i^p \operatorname{Re} \sum_m \alpha_{mp} c_m \bar\mu_m e^{imc_{k(i)}}

    with :math:`c_k` the middle of cell k and :math:`u = (\varphi - c_k)/a`; the speed has :math:`i s_m` for
    :math:`c_m`.  The error is about ``kernel.error`` times the largest force.  Arguments already checked; ``out``, the
    result of an earlier call, is overwritten and spares the fetching of new memory, up to a third of the time.  It
    costs next to nothing, but without ``normalizer`` the second array of the result is empty, as for the other methods.

    >>> drift, normalizer = cell_sums(np.eye(2), np.array([0.25, 0.75]), exponential_cells(2.0))
    >>> bool(np.allclose(normalizer, [0.25 + 0.75 * np.exp(-2), 0.75 + 0.25 * np.exp(-2)], rtol=1e-11))
    True
    >>> speed, _ = cell_sums(np.array([0.0, 2.5 * np.pi]), np.array([0.25, 0.75]), exponential_cells(2.0))
    >>> bool(np.allclose(speed, np.exp(-2) * np.array([0.75, -0.25]), rtol=1e-11))
    True

    Source: derived here.
    """
    drift, total = room_for_sums(places, out)
    line, pull = places.reshape(-1), drift.reshape(-1)  # two numbers a token on the plane, one for angles
    if len(weights) < PARALLEL_FROM:
        moments = np.zeros((kernel.cells, TERMS))
        _gather(line, weights, total, moments)  # total first holds the positions
        _evaluate(line, total, _convolve(added_up(moments), kernel), normalizer, pull)
    else:
        moments = _gather_parallel(line, weights, total, kernel.cells)
        _evaluate_parallel(line, total, _convolve(added_up(moments), kernel), normalizer, pull)
    return drift, total if normalizer else total[:0]


def _convolve(moments: Array, kernel: CellKernel) -> Array:
    # local polynomials of [cells, 4, 2, 2], flat: power of u^2, speed or normaliser, even or odd
    transform = np.fft.rfft(moments, axis=0)[: len(kernel.basis)]
    response = kernel.spectrum * (transform * kernel.basis.conj()).sum(axis=1)[:, None]
    series = kernel.basis.reshape(-1, TERMS // 2, 1, 2) * response[:, None, :, None]
    return np.fft.irfft(series, kernel.cells, axis=0).reshape(-1)


def _local_basis(frequency: Array) -> tuple[NDArray[np.complex128], Array]:
    nodes, between = chebyshev.chebpts1(TERMS), np.linspace(-1, 1, 41)
    basis = np.linalg.solve(np.vander(nodes, increasing=True), np.exp(1j * np.outer(nodes, frequency))).T
    error = np.exp(1j * np.outer(frequency, between)) - basis @ np.vander(between, TERMS, increasing=True).T
    return basis, np.abs(error).max(axis=1)


def _largest(kernel: Callable[[Array], Array]) -> Array:
    phi = np.pi * np.linspace(0, 1, 20_001) ** 2  # dense where a sharp kernel lives
    value = np.abs(kernel(2 * np.sin(phi / 2) ** 2))
    return np.array([(value * np.sin(phi)).max(), value.max()])


@njit(cache=True, fastmath={"contract"})
def _locate(places: Array, position: Array, cells: int) -> None:
    # position = cell + (1 + u)/2; the comparisons keep even a nan inside the table
    last = np.nextafter(float(cells), 0.0)
    turn = 1 / (2 * np.pi)
    if len(places) == len(position):
        for j in range(len(position)):
            turns = places[j] * turn + 0.5
            place = (turns - np.floor(turns)) * cells
            position[j] = place if place < last else last
    else:
        for j in range(len(position)):
            turns = angle(places[2 * j + 1], places[2 * j]) * turn + 0.5
            place = (turns if turns > 0.0 else 0.0) * cells
            position[j] = place if place < last else last


@njit(cache=True, fastmath={"contract"})
def _split(position: Array, cell: NDArray[np.int32], u: Array) -> None:
    # a loop of its own becomes vector instructions
    for j in range(len(position)):
        cell[j] = np.int32(position[j])
        u[j] = 2 * (position[j] - cell[j]) - 1


@njit(cache=True, fastmath={"contract"})
def _gather(places: Array, weights: Array, position: Array, table: Array) -> None:
    width, cell, u = len(places) // len(weights), np.empty(BLOCK, np.int32), np.empty(BLOCK)
    for first in range(0, len(weights), BLOCK):
        stop = min(first + BLOCK, len(weights))
        block, mass = position[first:stop], weights[first:stop]
        _locate(places[width * first : width * stop], block, len(table))
        _split(block, cell, u)
        for j in range(len(block)):
            add_powers(table, TERMS * np.int64(cell[j]), mass[j], u[j])


@one_at_a_time
@njit(cache=True, parallel=True)
def _gather_parallel(places: Array, weights: Array, position: Array, cells: int) -> Array:
    n, width = len(weights), len(places) // len(weights)
    chunks = min(max(n // (32 * cells), 2), MOST_CHUNKS)
    tables = np.zeros((chunks, cells, TERMS))
    for k in prange(chunks):
        start, stop = k * n // chunks, (k + 1) * n // chunks
        _gather(places[width * start : width * stop], weights[start:stop], position[start:stop], tables[k])
    total: Array = tables.sum(axis=0)
    return total


@njit(cache=True, fastmath={"contract"})
def _evaluate(places: Array, position: Array, local: Array, divided: bool, drift: Array) -> None:
    planar, cell, u = len(places) > len(position), np.empty(BLOCK, np.int32), np.empty(BLOCK)
    for first in range(0, len(position), BLOCK):
        block = position[first : min(first + BLOCK, len(position))]
        _split(block, cell, u)
        for j in range(len(block)):
            speed, value = two_polynomials(local, 2 * TERMS * np.int64(cell[j]), u[j])
            if divided:
                block[j] = value
            i = first + j
            if planar:
                drift[2 * i] = -places[2 * i + 1] * speed
                drift[2 * i + 1] = places[2 * i] * speed
            else:
                drift[i] = speed


@one_at_a_time
@njit(cache=True, parallel=True)
def _evaluate_parallel(places: Array, position: Array, local: Array, divided: bool, drift: Array) -> None:
    n, width = len(position), len(places) // len(position)
    chunks = (n + 16 * BLOCK - 1) // (16 * BLOCK)
    for k in prange(chunks):
        start, stop = k * n // chunks, (k + 1) * n // chunks
        rows = slice(width * start, width * stop)
        _evaluate(places[rows], position[start:stop], local, divided, drift[rows])
