r"""The velocity field in dim 3 through spherical harmonics of the kernel: O(n) for a given degree instead of O(n^2).

The coefficients are those of :mod:`gegenflow.numerics.fields.legendre`.  Up to a moderate degree the harmonics are
summed directly, as polynomials :math:`(x + iy)^m T_p(z)`, which know no poles; above it the non-uniform
spherical-harmonic transforms of ducc0 take over, whose cost hardly depends on the degree.  Accuracy is relative to the
largest force, so exponentially small forces between separated clusters need the dense field.
"""

from __future__ import annotations

from functools import partial
from math import sqrt

from gegenflow.numerics.fields.compiled.sphere_polynomials import direct_sums
from gegenflow.numerics.fields.compiled.sphere_transforms import transform_sums
from gegenflow.numerics.fields.legendre import DIRECT_TO, SphereModes, exponential_sphere_modes, sphere_modes
from gegenflow.numerics.fields.sums import Method, Pair, Size, Sums
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.tokens.geometry import Array
from gegenflow.numerics.tokens.refusals import Refused

FROM, PER_ROOT = 500, 170  # tokens, and per root of beta: with two threads it breaks even at 700 (beta 5), 1700 (50)


class Sphere(Method):
    """Spherical harmonics of the kernel, dim 3."""

    name, dims, series = "sphere", frozenset({3}), True

    def pays(self, n: int, dim: int, flow: Flow) -> bool:
        """The later the sharper the exponential; a kernel is slow to evaluate, so that its modes are worth it early."""
        return n > FROM + PER_ROOT * sqrt(abs(flow.beta or 0.0))

    def prepare(self, flow: Flow, size: Size, tol: float) -> Sums:
        """The modes of the kernel, to a tolerance."""
        kernel = flow.kernel
        modes = sphere_modes(lambda gap: kernel(1 - gap), tol) if kernel else exponential_sphere_modes(flow.beta, tol)
        return Sums(partial(sphere_sums, modes=modes), modes.error)


def sphere_sums(
    tokens: Array, weights: Array, modes: SphereModes, out: Pair | None = None, *, normalizer: bool = True
) -> Pair:
    r"""Drift, shape=[n, 3], and normaliser, shape=[n], as :func:`dense_sums` for any smooth kernel in dim 3.

    .. math:: F(x) = \nabla_x \sum_l W_l \sum_j w_j P_l(\langle x, x_j\rangle), \qquad
              Z(x) = \sum_l c_l \sum_j w_j P_l(\langle x, x_j\rangle)

    with the gradient along the sphere; ``tokens`` shape=[n, 3] and ``weights`` shape=[n] are checked already.  The
    error is about ``modes.error`` times the largest force.  ``out``, the result of an earlier call, is overwritten and
    spares new memory; without ``normalizer``, which USA does not need, the second array is empty, and one transform of
    three is spared.

    >>> import numpy as np
    >>> drift, normalizer = sphere_sums(np.eye(3), np.array([0.25, 0.5, 0.25]), exponential_sphere_modes(2.0))
    >>> bool(np.allclose(normalizer, np.array([1, 2, 1]) / 4 + np.array([3, 2, 3]) / 4 * np.exp(-2), rtol=1e-12))
    True
    >>> bool(np.allclose(drift[0], np.array([0, 2, 1]) / 4 * np.exp(-2), rtol=1e-11, atol=1e-14))
    True

    Raises ValueError for ``dim`` other than 3.  Source: derived here (addition theorem, DLMF 14.30.9).
    """
    if tokens.shape[1] != 3:
        raise Refused("dim", tokens.shape[1], "the sphere field needs dim 3; attention_field takes any")
    method = direct_sums if len(modes.value) <= DIRECT_TO + 1 else transform_sums
    return method(tokens, weights, modes, out, normalizer=normalizer)
