"""Running Fourier sums over tokens on the circle: what each token sees of those before it, in one pass."""

import numpy as np
from numba import njit, prange

from gegenflow.numerics.fields.compiled.elementary import FAST
from gegenflow.numerics.tokens.compiling import is_worth_threads, one_at_a_time
from gegenflow.numerics.tokens.geometry import Array

BLOCK = 256  # tokens whose powers and running sums stay in the first-level cache
CHUNK = 32 * BLOCK  # tokens that one thread takes in a row
PARALLEL_FROM = 200_000  # tokens times modes: below it a parallel region costs more than it saves


def scan_modes(
    x: Array,
    y: Array,
    weights: Array,
    keep: float,
    own: bool,
    force: Array,
    value: Array,
    speed: Array,
    normalizer: Array,
) -> None:
    r"""Write the sums over the tokens seen, not yet divided by their mass, of tokens :math:`z_j = x_j + iy_j`.

    .. math:: \text{speed}_i = \sum_m s_m\, {\rm Im}\, S_m \bar z_i^m, \qquad
              \text{normalizer}_i = \sum_m c_m\, {\rm Re}\, S_m \bar z_i^m, \qquad
              S_m = \sum_j q^{i-j} w_j z_j^m

    over j < i, and j = i with ``own``; q = ``keep``, s = ``force``, c = ``value``.  ``normalizer`` may be empty.

    >>> speed, total = np.empty(2), np.empty(2)
    >>> ones = np.ones(2)
    >>> scan_modes(np.array([1.0, 0.0]), np.array([0.0, 1.0]), ones, 0.5, False, np.eye(2)[1], ones, speed, total)
    >>> speed, total                                    # the second sees the first, a quarter turn back
    (array([ 0. , -0.5]), array([0. , 0.5]))
    """
    n, count = len(x), len(force)
    if is_worth_threads(n * count, PARALLEL_FROM):
        _scan_parallel(x, y, weights, keep, own, force, value, speed, normalizer)
    else:
        _scan(0, n, x, y, weights, keep, own, force, value, np.zeros((2, count)), speed, normalizer)


def seen_masses(weights: Array, keep: float, own: bool) -> Array:
    r"""The mass that each token sees, :math:`\sum_j q^{i-j} w_j`; one where it sees none.

    >>> seen_masses(np.full(3, 1 / 3), 1.0, False) * 3
    array([3., 1., 2.])
    """
    masses = np.empty(len(weights))
    _masses(weights, keep, own, masses)
    return masses


@njit(cache=True)
def _masses(weights: Array, keep: float, own: bool, masses: Array) -> None:
    total = 0.0
    for i in range(len(weights)):
        before = keep * total
        total = before + weights[i]
        masses[i] = total if own else before
    if not own:
        masses[0] = 1.0


@one_at_a_time
@njit(cache=True, parallel=True)
def _scan_parallel(
    x: Array,
    y: Array,
    weights: Array,
    keep: float,
    own: bool,
    force: Array,
    value: Array,
    speed: Array,
    normalizer: Array,
) -> None:
    n, count = len(x), len(force)
    chunks = (n + CHUNK - 1) // CHUNK
    sums = np.zeros((chunks, 2, count))
    nothing = np.empty(0)
    for k in prange(chunks - 1):
        _scan(k * CHUNK, (k + 1) * CHUNK, x, y, weights, keep, own, force, value, sums[k + 1], nothing, nothing)
    faded = keep**CHUNK
    for k in range(1, chunks):
        sums[k] += faded * sums[k - 1]
    for k in prange(chunks):
        stop = min(n, (k + 1) * CHUNK)
        _scan(k * CHUNK, stop, x, y, weights, keep, own, force, value, sums[k], speed, normalizer)


@njit(cache=True, fastmath=FAST)
def _scan(
    start: int,
    stop: int,
    x: Array,
    y: Array,
    weights: Array,
    keep: float,
    own: bool,
    force: Array,
    value: Array,
    sums: Array,
    speed: Array,
    normalizer: Array,
) -> None:
    # sums holds S_m just before the first token, and just before the one after the last at the end; where there is
    # no room for speeds nothing else is written
    real, imag = np.empty(BLOCK), np.empty(BLOCK)
    seen_real, seen_imag = np.empty(BLOCK), np.empty(BLOCK)
    turn, total = np.empty(BLOCK), np.empty(BLOCK)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        a, b, w = x[first : first + size], y[first : first + size], weights[first : first + size]
        real[:size] = 1.0
        imag[:size] = 0.0
        turn[:size] = 0.0
        total[:size] = 0.0
        for m in range(len(force)):
            sum_real, sum_imag = sums[0, m], sums[1, m]
            for j in range(size):
                seen_real[j] = sum_real
                seen_imag[j] = sum_imag
                sum_real = keep * (sum_real + w[j] * real[j])
                sum_imag = keep * (sum_imag + w[j] * imag[j])
            sums[0, m], sums[1, m] = sum_real, sum_imag
            if len(speed):
                s, c = force[m], value[m]
                for j in range(size):
                    turn[j] += s * (seen_imag[j] * real[j] - seen_real[j] * imag[j])
                if len(normalizer):
                    for j in range(size):
                        total[j] += c * (seen_real[j] * real[j] + seen_imag[j] * imag[j])
            for j in range(size):
                turned = real[j] * a[j] - imag[j] * b[j]
                imag[j] = real[j] * b[j] + imag[j] * a[j]
                real[j] = turned
        if len(speed):
            speed[first : first + size] = turn[:size]
        if len(normalizer):
            alone = value.sum() if own else 0.0
            for j in range(size):
                normalizer[first + j] = total[j] + alone * w[j]
