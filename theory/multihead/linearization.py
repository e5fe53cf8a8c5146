r"""Any heads about a cluster, and nearly isotropic heads about the uniform density to first order.

Heads have forms :math:`B_h` (query-key) and values :math:`V_h`. About a cluster at x, where
:math:`A = \sum_h e^{\beta\langle x,B_hx\rangle}V_hx = \lambda x`, displacements of mean 0, and a common one, obey

.. math:: \dot\xi = \Big[\beta \sum_h e^{\beta\langle x,B_hx\rangle} P V_hx\,(B_hx)^\top P - \lambda P\Big]\xi, \qquad
          \dot{\bar\xi} = \Big[\dots + \sum_h e^{\beta\langle x,B_hx\rangle}
          P\big(V_h + \beta V_hx\,x^\top B_h\big)P\Big]\bar\xi

(USA; in SA, where a softmax of equal scores changes nothing, :math:`-\lambda P` and
:math:`P\sum_hV_hP - \lambda P` with :math:`\lambda = \sum_h\langle x,V_hx\rangle`).

About the uniform density, :math:`B_h = m_hI + F_h`, :math:`V_h = g_hI + G_h`: to first order in F and G the rates of
the harmonics of degree k are those of a form and a rotation among them, see :func:`splitting`. Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from gegenflow.theory.exact.arguments import Expr, Real, Whole, check_beta, check_model
from gegenflow.theory.exact.integers import check_degree, check_dim, check_number
from gegenflow.theory.exact.refusals import Refused
from gegenflow.theory.exact.values import record_html
from gegenflow.theory.kernels.kernel import Kernel
from gegenflow.theory.multihead.energies import Matrices, Matrix, check_matrices, check_unit_rows
from gegenflow.theory.multihead.equiangular import check_scales
from gegenflow.theory.multihead.harmonics import first_order, zonal_mean
from gegenflow.theory.sphere import gegenbauer, laplacian_eigenvalue
from gegenflow.theory.symbols import t


@dataclass(frozen=True)
class ClusterLinearization:
    """How tokens about a cluster move: matrices on tangent vectors, of displacements of mean 0 and of a common one.

    :param relative: what moves displacements of mean 0, shape (dim, dim)
    :param common: what moves a common displacement, shape (dim, dim)
    :param direction: where the cluster is, a unit vector, shape (dim, 1)

    Source: derived here.

    See also :func:`.linearize_cluster`.
    """

    relative: Matrix
    common: Matrix
    direction: Matrix

    _repr_html_ = record_html

    def eigenvalues(self, which: str = "relative") -> tuple[Expr, ...]:
        """Rates, dim - 1 of them, of ``which`` displacements: "relative" (of mean 0, the default) or "common"."""
        if which not in ("relative", "common"):
            raise Refused("which", which, "choose relative or common")
        basis = sp.Matrix.hstack(*self.direction.T.nullspace())
        inner = (basis.T * basis).inv() * basis.T * getattr(self, which) * basis
        return tuple(value for value, times in inner.eigenvals().items() for _ in range(times))


def linearize_cluster(
    direction: Sequence[Real],
    query_keys: Matrices,
    values: Matrices,
    beta: Real,
    *,
    model: str = "usa",
) -> ClusterLinearization:
    r"""The motion of tokens about a cluster at a unit vector, for any heads: the matrices at the head of this module.

    One head with B = V = I: displacements of mean 0 decay at e^beta, a common one stays.

    :param direction: where the cluster is, an exact unit vector, shape (dim,)
    :param query_keys: the B_h, shape (heads, dim, dim), exact
    :param values: the V_h, of the same shape, exact
    :param beta: inverse temperature, any real number
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    >>> found = linearize_cluster([1, 0], [[[1, 0], [0, 1]]], [[[1, 0], [0, 1]]], 2)
    >>> found.eigenvalues(), found.eigenvalues("common")
    ((-exp(2),), (0,))

    Raises ValueError where the cluster is not at rest, as its output is not along it. Source: derived here.

    See also :func:`.splitting`, :func:`.linearize`, :func:`.dirac_rate`.
    """
    x = check_unit_rows([direction], "direction").T
    forms, pulls = check_matrices("query_keys", query_keys), check_matrices("values", values)
    if len(forms) != len(pulls) or {m.shape for m in (*forms, *pulls)} != {(x.rows, x.rows)}:
        raise Refused("values", None, f"as many {x.rows} x {x.rows} matrices as query_keys are needed")
    b, usa = check_beta(beta, symbols=False), check_model(model) == "usa"
    weights = [sp.exp(b * (x.T * form * x)[0]) if usa else sp.Integer(1) for form in forms]
    zero, project = sp.zeros(x.rows), sp.eye(x.rows) - x * x.T
    output = sum((w * value * x for w, value in zip(weights, pulls, strict=True)), sp.zeros(x.rows, 1))
    if sp.simplify(project * output) != sp.zeros(x.rows, 1):
        raise Refused("direction", direction, "a cluster there is not at rest: the output of attention is not along it")
    lengthening = (x.T * output)[0]
    turning = [b * w * value * x * (form * x).T for w, value, form in zip(weights, pulls, forms, strict=True)]
    carried = [w * (value + b * value * x * x.T * form) for w, value, form in zip(weights, pulls, forms, strict=True)]
    if not usa:
        turning, carried = [zero], list(pulls)
    relative = project * sum(turning, zero) * project - lengthening * project
    return ClusterLinearization(Matrix(relative), Matrix(relative + project * sum(carried, zero) * project), Matrix(x))


@dataclass(frozen=True)
class Splitting:
    r"""First-order rates of the harmonics of one degree, those of :math:`\Pi_k(x^\top S x\,f) + \Omega x\cdot\nabla f`.

    Alone a turn changes no rate, it moves the pattern. Source: derived here.

    :param degree: degree of the harmonics k
    :param dim: d of the sphere S^{d-1}
    :param rate: what all of them have in common, per unit of the flow's time
    :param form: S, symmetric and traceless, shape (dim, dim)
    :param turn: :math:`\Omega`, antisymmetric, shape (dim, dim)

    See also :func:`.splitting`.
    """

    degree: int
    dim: int
    rate: Expr
    form: Matrix
    turn: Matrix

    _repr_html_ = record_html

    def rates(self) -> tuple[float, ...]:
        """The rates of all harmonics of the degree, the largest first, in floats."""
        return tuple(float(self.rate) + value.real for value in first_order(self.form, self.turn, self.degree))


def splitting(
    degree: Whole,
    dim: Whole,
    beta: Real,
    scales: Sequence[Real],
    forms: Matrices,
    values: Matrices,
    *,
    gains: Sequence[Real] | None = None,
    model: str = "usa",
) -> Splitting:
    r"""Growth rates of degree k about the uniform density to first order in F and G, :math:`B_h = m_hI + F_h`.

    With :math:`f = P_k(\langle x,e\rangle)`, :math:`A = ee^\top - I/d`, :math:`z = \beta m`, and w the multipliers of
    :math:`e^{zt}`, the part linear in G = A (and likewise in F) of :math:`\langle\nabla f, v[f] + f\,v[1]\rangle` over
    :math:`\langle f, x^\top A x f\rangle` is a number, by the symmetry of the sphere the same for every symmetric
    traceless A and every harmonic of degree k.

    :param degree: degree of the harmonics k, >= 1
    :param dim: d of the sphere S^{d-1}, >= 2
    :param beta: inverse temperature, any real number but 0
    :param scales: m_h of each head, shape (heads,), numbers other than 0
    :param forms: F_h, shape (heads, dim, dim)
    :param values: G_h, shape (heads, dim, dim)
    :param gains: g_h of each head, shape (heads,); None (default): 1 each
    :param model: "usa" (unnormalised) or "sa" (softmax); default "usa"

    A value larger in the first direction lets harmonics of degree 1 along it win:

    >>> split = splitting(1, 3, 2, [1], [sp.zeros(3)], [sp.diag("0.01", 0, 0)])
    >>> rates = split.rates()
    >>> rates[0] > rates[1] == rates[2], split.form.trace()
    (True, 0)

    The uniform density itself moves to first order; these are rates at the start. Raises ValueError for others. Source:
    derived here.

    See also :func:`.growth_rate`, :func:`.linearize_cluster`.
    """
    k, size = check_number("degree", check_degree(degree)), check_number("dim", check_dim(dim))
    b, heads = check_beta(beta, symbols=False), check_scales(scales)
    pulls = check_scales(gains if gains is not None else [1] * len(heads), "gains")
    tilts, turns = check_matrices("forms", forms), check_matrices("values", values)
    if not len(heads) == len(pulls) == len(tilts) == len(turns) or {m.shape for m in (*tilts, *turns)} != {
        (size, size)
    }:
        raise Refused(
            "forms", None, f"one {size} x {size} matrix is needed for each scale, and of values and gains, too"
        )
    if any(m == 0 for m in heads) or b == 0:
        raise Refused("scales", scales, "beta and the scales must not be 0")
    rate, form, whirl = sp.Integer(0), sp.zeros(size), sp.zeros(size)
    for m, gain, tilt, turn in zip(heads, pulls, tilts, turns, strict=True):
        base, slope, pulled, turned = _coefficients(k, size, b, m, gain, check_model(model))
        rate += gain * base + gain * slope * tilt.trace() / size + base * turn.trace() / size
        form += pulled[0] * _traceless(tilt) + pulled[1] * _traceless(turn)
        whirl += (turned[0] * (tilt - tilt.T) + turned[1] * (turn - turn.T)) / 2
    return Splitting(k, size, rate, Matrix(form), Matrix(whirl))


Pair = tuple[Expr, Expr]


def _coefficients(k: int, dim: int, beta: Expr, m: Expr, gain: Expr, model: str) -> tuple[Expr, Expr, Pair, Pair]:
    """Of one head: its rate for gain 1, the derivative of that in m, what multiplies the symmetric F, G, and the rest.

    Means over the sphere of zonal f and its gradient give the first pair. For the second, with R = Omega x . grad:
    <grad g, Omega x f> = -<g, R f>, <grad g, Omega grad f> = -(d - 2) <g, R f>, and the mean of Hess f(grad g, Omega x)
    is (L_k - d + 2) <g, R f>.
    """
    z = sp.Symbol("z", positive=True)
    at, size, sign = beta * m, abs(beta * m), sp.sign(beta * m)

    def weight(degree: int, order: int) -> Expr:
        value = sp.diff(Kernel(sp.exp(z * t)).multiplier(degree, dim), z, order)
        return sign ** (degree + order) * value.subs(z, size)

    w, dw, w0, dw0 = weight(k, 0), weight(k, 1), weight(0, 0), weight(0, 1)
    eigenvalue, softmax = laplacian_eigenvalue(k, dim), sp.Integer(model == "sa")
    norm = w0 if softmax else sp.Integer(1)
    rate = eigenvalue * w / (at * norm)
    slope = eigenvalue * beta * (dw / at - w / at**2 - softmax * w * dw0 / (at * norm)) / norm
    drift = dw0 * (1 - softmax * w / norm)  # of the uniform density itself, which in SA carries less of f
    turned_form = gain * beta * (drift / at - (w * (eigenvalue - dim + 2) - at * dw) / at**2) / norm
    turned_value = -((dim - 2) * w / at + dw + drift) / norm
    p = gegenbauer(k, dim, t)
    dp, ddp, s, trace = sp.diff(p, t), sp.diff(p, t, 2), 1 - t**2, t**2 - sp.Rational(1, dim)
    means = (p**2 * trace, dp**2 * s * (s - sp.Rational(1, dim)), p * dp * t * s, dp**2 * s * trace)
    whole, across, along, thin = (zonal_mean(part, dim) for part in means)
    if whole == 0:
        return rate, slope, (sp.Integer(0), sp.Integer(0)), (turned_form, turned_value)
    bent = zonal_mean(dp * t * (ddp * s**2 - t * dp * s), dim) - thin
    hessian = (w * bent + at * dw * (along + thin)) / at**2 - softmax * w * dw0 * thin / (at * norm)
    pulled_form = gain * beta * (hessian + drift * along / at) / (norm * whole)
    pulled_value = (w / at * across + (dw + drift) * along) / (norm * whole)
    return rate, slope, (pulled_form, pulled_value), (turned_form, turned_value)


def _traceless(matrix: Matrix) -> Matrix:
    symmetric = (matrix + matrix.T) / 2
    return symmetric - symmetric.trace() / matrix.rows * sp.eye(matrix.rows)
