"""Several heads in the theory: against quadrature in mpmath, differences of fields, operators by quadrature."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis.strategies import fractions, integers, lists, sampled_from
from scipy.special import sph_harm_y

from gegenflow import theory as th

MODELS = sampled_from(["usa", "sa"])
SCALES = lists(fractions(-2, 2, max_denominator=10), min_size=1, max_size=4)
mh = th.multihead


def pull(g, n, beta, scales, model):
    """What all heads pull together, as the velocity has it, in mpmath."""
    if model == "usa":
        return sum(m * mpmath.exp(beta * m * g) for m in scales) / n
    return sum(m / (mpmath.exp(beta * m * (1 - g)) + n - 1) for m in scales)


@settings(max_examples=25)
@given(SCALES, integers(2, 40), fractions(0, 6, max_denominator=7), MODELS, fractions(0, "0.8"), fractions(0, "0.95"))
def test_hitting_times_are_integrals_of_one_over_the_velocity(scales, tokens, beta, model, start, overlap):
    """Both ways, by mpmath's quadrature in the overlap, which the package does not use; 20 digits, to 1e-17."""
    assume(abs(overlap - start) > 0.01)
    with mpmath.workdps(30):
        exact = [mpmath.mpf(m.numerator) / m.denominator for m in scales]
        b, low, high = (mpmath.mpf(x.numerator) / x.denominator for x in (beta, start, overlap))
        speed = pull(low, tokens, b, exact, model)
        assume(abs(speed) > 1e-3)

        def slowness(g):
            return 1 / (2 * (1 - g) * (1 + (tokens - 1) * g) * pull(g, tokens, b, exact, model))

        if (speed > 0) != (overlap > start):
            with pytest.raises(th.Refused, match="it is never reached"):
                mh.hitting_time(overlap, tokens, beta, scales, start=start, model=model)
            return
        found = mh.hitting_time(overlap, tokens, beta, scales, start=start, model=model, digits=20)
        expected = mpmath.quad(slowness, mpmath.linspace(low, high, 13))
        assert abs(mpmath.mpf(found.value) - expected) < 1e-17 * abs(expected)


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_one_head_is_the_system_of_one_head(model):
    """Scale m at beta is scale 1 at beta m, m times as fast; published time at n = 32, beta = 9 and 1."""
    for scale in ("0.5", 2):
        several = mh.hitting_time("0.9", 7, 3, [scale], model=model, start="0.1", digits=18)
        alone = th.synchronization.hitting_time(
            "0.9", 7, 3 * sp.Rational(str(scale)), model=model, start="0.1", digits=25
        )
        assert abs(several * sp.Rational(str(scale)) - alone) < 1e-16
    if model == "sa":
        assert mh.hitting_time("0.999", 32, 9, [1], model="sa", digits=7).value == "178.7309"


@given(SCALES, fractions(0, 3, max_denominator=9), MODELS)
def test_near_one_the_velocity_is_the_contraction_rate(scales, beta, model):
    """The derivative of the velocity at overlap one, by sympy, for five tokens."""
    g = sp.Symbol("g")
    slope = sp.diff(mh.equiangular_velocity(g, 5, beta, scales, model=model), g).subs(g, 1)
    assert abs(sp.N(-slope - mh.contraction_rate(beta, scales, model=model), 30)) < 1e-20


@given(lists(fractions(-4, 4, max_denominator=10), min_size=1, max_size=4), fractions("0.1", 3, max_denominator=10))
def test_super_additivity_is_jensen(scales, beta):
    """The excess against floats; never negative where every beta m >= -2."""
    found = mh.super_additivity(beta, scales)
    heads = np.array([float(m) for m in scales])
    b, mean = float(beta), float(sum(scales) / len(scales))
    excess = 2 * (heads * np.exp(b * heads)).sum() - 2 * len(heads) * mean * np.exp(b * mean)
    assert float(found.excess) == pytest.approx(excess, rel=1e-9, abs=1e-9 * np.abs(heads * np.exp(b * heads)).sum())
    assert found.convex == all(beta * m >= -2 for m in scales)
    if found.convex:
        assert found.excess >= 0


def test_super_additivity_fails_where_it_was_claimed():
    """Two scales below -2/beta, and two close ones just below it; equal heads have none."""
    assert mh.super_additivity(2, [-3, "-1.2"], digits=4).excess.value == "-0.1066"
    assert mh.super_additivity(1, ["-2.1", "-2.2"]).excess < 0 < mh.super_additivity(1, ["-1.8", "-1.9"]).excess
    assert mh.super_additivity(3, [1, 1]).excess.value == "0"


def test_critical_temperatures_say_what_they_say():
    """Lengths of the output across and along a token, balance of two heads, and a maximum, all by mpmath."""
    n, g, m = 12, mpmath.mpf("0.2"), mpmath.mpf(2)
    b = mpmath.mpf(str(sp.N(mh.balance_beta(n, 2, "0.2"), 20)))
    along = mpmath.exp(b * m) + (n - 1) * g * mpmath.exp(b * m * g)
    across = mpmath.exp(b * m * g) * mpmath.sqrt((n - 1) * (1 - g) * (1 + (n - 1) * g))
    assert abs(along / across - 1) < 1e-15
    b = mpmath.mpf(str(sp.N(mh.opposing_beta(1, -3, "0.4"), 20)))
    assert abs(mpmath.exp(b * 0.4) - 3 * mpmath.exp(-3 * b * 0.4)) < 1e-14
    found = mh.critical_beta_softmax(n, 2, "0.2", 30)
    with mpmath.workdps(40):
        g = mpmath.mpf(1) / 5
        top = mpmath.findroot(lambda x: mpmath.diff(lambda y: y * m / (mpmath.exp(y * m * (1 - g)) + n - 1), x), 1.0)
        assert abs(mpmath.mpf(found.value) - top) < mpmath.mpf(10) ** -18
    with pytest.raises(th.Refused, match="at beta = 0 already"):
        mh.balance_beta(50, 1, "0.9")
    with pytest.raises(th.Refused, match="the first head is stronger at every beta"):
        mh.opposing_beta(2, -1, "0.5")


@pytest.mark.parametrize(
    ("dim", "linear", "full"), [(64, "22.2", "3.56"), (1024, "44.4", "11.74"), (16384, "66.5", "26.79")]
)
def test_relu_times(dim, linear, full):
    """As published from 1/sqrt(dim) to 1/2 for 32 tokens, and the full one by quadrature."""
    start = 1 / sp.sqrt(dim)
    assert mh.relu_time("0.5", 32, start, linear=True, digits=3).value == linear
    found = mh.relu_time("0.5", 32, start, digits=18)
    assert found.value.startswith(full[:4])
    low = 1 / mpmath.sqrt(dim)
    with mpmath.workdps(25):
        expected = mpmath.quad(lambda g: 16 / (g * (1 - g) * (1 + 31 * g)), mpmath.linspace(low, mpmath.mpf(1) / 2, 9))
    assert float(found) == pytest.approx(float(expected), rel=1e-13)


@given(integers(2, 30), fractions("0.05", 8), fractions(0, "0.99"))
def test_entropy_of_equiangular_attention(tokens, beta, overlap):
    """The entropy of a softmax, term by term, and its slope by a difference of two."""
    b, g, step = float(beta), float(overlap), 1e-5

    def entropy(g):
        scores = b * np.array([1.0, *[g] * (tokens - 1)])
        share = np.exp(scores - scores.max())
        share /= share.sum()
        return -(share * np.log(share)).sum()

    assert float(sp.N(mh.attention_entropy(overlap, tokens, beta))) == pytest.approx(entropy(g), abs=1e-12)
    slope = (entropy(g + step) - entropy(g - step)) / (2 * step)
    assert float(sp.N(mh.entropy_slope(overlap, tokens, beta))) == pytest.approx(slope, abs=1e-6 * max(1, b**2))


def field_of_heads(tokens, forms, beta):
    """f_i^h, shape=[heads, n, dim], in numpy."""
    return np.array([np.exp(beta * tokens @ form @ tokens.T) @ tokens @ form for form in forms])


POINTS = [(3, 4, 5), (5, 12, 13), (8, 15, 17), (-4, 3, 5), (1, 0, 1), (-20, 21, 29), (0, -1, 1)]


@settings(max_examples=12)
@given(
    lists(sampled_from(POINTS), min_size=2, max_size=4),
    lists(lists(integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=3),
)
def test_energies_of_heads_change_as_a_small_step_of_the_flow_says(points, entries):
    """Differences of E_h along the flow, for symmetric integer forms; shadow and bound by their definitions."""
    tokens = [[sp.Rational(x, r), sp.Rational(y, r)] for x, y, r in points]
    forms, beta = [[[a, b], [b, c]] for a, b, c in entries], 0.5
    found = mh.energy_rates(tokens, forms, "0.5", digits=12)
    x, heads = np.array(tokens, dtype=float), [np.array(form, dtype=float) for form in forms]
    n, pulls = len(x), field_of_heads(x, heads, beta)
    total = pulls.sum(axis=0)
    moved = (total - np.sum(total * x, axis=1)[:, None] * x) / n

    def energies(time):
        at = x + time * moved
        at /= np.linalg.norm(at, axis=1)[:, None]
        return np.array([np.exp(beta * at @ form @ at.T).sum() / (2 * beta * n**2) for form in heads])

    step = 1e-4
    rates = (energies(step) - energies(-step)) / (2 * step)
    size = np.abs(pulls).max() ** 2 / n + 1
    np.testing.assert_allclose([float(rate) for rate in found.rates], rates, atol=1e-5 * size)
    assert float(found.total) == pytest.approx((moved**2).sum() / n, abs=1e-11 * size)
    for h, pulled in enumerate(pulls):
        shadow = (np.sum(x * pulled, axis=1) * np.sum(x * total, axis=1)).sum() / n**3
        assert float(found.shadows[h]) == pytest.approx(shadow, abs=1e-11 * size)
        assert float(found.bounds[h]) <= float(found.rates[h]) + 1e-11 * size


def test_orthogonal_heads_may_lose_energy():
    """The rational counterexample, and a better one found; one head and equal heads have none."""
    forms = [[[1, 0], [0, 0]], [[0, 0], [0, 3]]]
    known = mh.energy_rates([["5/13", "12/13"], ["8/17", "15/17"]], forms, 2, digits=6)
    assert known.rates[0].value == "-85.9538"
    tokens, rate = mh.counterexample(forms, 2, height=9)
    assert rate <= known.rates[0]
    assert all(sum(entry**2 for entry in token) == 1 for token in tokens)
    assert mh.counterexample([[[1, 0], [0, 2]]], 2, height=4) is None
    with pytest.raises(th.Refused, match=r"tokens .*length must be one"):
        mh.energy_rates([[1, 1]], forms, 2)


def test_gradient_flows_are_told_from_others():
    """V = c B with B symmetric, by hand."""
    form, eye = [[1, 2], [2, -1]], [[1, 0], [0, 1]]
    assert mh.gradient_multiples([form, eye], [[[-2, -4], [-4, 2]], eye]) == (-2, 1)
    assert mh.gradient_multiples([form], [eye]) is None
    assert mh.gradient_multiples([[[0, 1], [-1, 0]]], [[[0, 1], [-1, 0]]]) is None


@pytest.mark.parametrize("model", ["usa", "sa"])
def test_a_cluster_of_any_heads_moves_as_its_jacobian_says(model):
    """Differences of the field of five tokens about a common eigenvector, shape=[10, 10] Jacobian, its eigenvalues."""
    query_keys = [[[1, 2, 0], ["0.5", 1, 0], [0, 0, -1]], [[0, 0, 0], [1, 0, 1], [0, 1, 2]]]
    values = [[[1, 3, 0], [0, 1, 1], [0, 1, 2]], [[2, 0, -1], [0, 0, 1], [0, 0, 1]]]
    beta, n = 0.7, 4
    x = np.eye(3)[0]
    forms, pulls = (np.array(part, dtype=float) for part in (query_keys, values))

    def field(tokens):
        total = np.zeros_like(tokens)
        for form, value in zip(forms, pulls, strict=True):
            weights = np.exp(beta * tokens @ form @ tokens.T)
            weights /= weights.sum(axis=1)[:, None] if model == "sa" else n
            total += weights @ tokens @ value.T
        return total - np.sum(total * tokens, axis=1)[:, None] * tokens

    frame, columns, step = np.eye(3)[1:], [], 1e-6
    for token in range(n):
        for direction in frame:
            ends = []
            for sign in (1, -1):
                start = np.tile(x, (n, 1))
                start[token] = x + sign * step * direction
                start[token] /= np.linalg.norm(start[token])
                ends.append(field(start) @ frame.T)
            columns.append(((ends[0] - ends[1]) / (2 * step)).ravel())
    jacobian = np.sort_complex(np.linalg.eigvals(np.array(columns).T))
    found = mh.linearize_cluster([1, 0, 0], query_keys, values, "0.7", model=model)
    relative = [complex(sp.N(v)) for v in found.eigenvalues()] * (n - 1)
    every = np.sort_complex(relative + [complex(sp.N(v)) for v in found.eigenvalues("common")])
    np.testing.assert_allclose(jacobian, every, atol=1e-4)  # eigenvalues of a defective matrix: root of the difference


def test_a_cluster_that_is_not_at_rest_is_refused():
    """A value that turns the direction."""
    with pytest.raises(th.Refused, match=r"direction .* a cluster there is not at rest"):
        mh.linearize_cluster([1, 0], [[[1, 0], [0, 1]]], [[[1, 0], [1, 1]]], 1)


def sphere_rule(count):
    """Gauss in the third coordinate, equal angles in the first two."""
    z, weight = np.polynomial.legendre.leggauss(count)
    angle = 2 * np.pi * np.arange(2 * count) / (2 * count)
    r = np.sqrt(1 - z**2)
    points = np.stack(
        [np.outer(r, np.cos(angle)), np.outer(r, np.sin(angle)), np.outer(z, np.ones(2 * count))], axis=-1
    )
    return points.reshape(-1, 3), np.repeat(weight, 2 * count) / (4 * count)


def harmonics_of_sphere(degree, points):
    """Real spherical harmonics by scipy, shape=[points, 2 k + 1], of the directions of points of any length."""
    points = points / np.linalg.norm(points, axis=-1, keepdims=True)
    polar, azimuth = np.arccos(points[..., 2]), np.arctan2(points[..., 1], points[..., 0])
    found = [sph_harm_y(degree, 0, polar, azimuth).real]
    for order in range(1, degree + 1):
        value = sph_harm_y(degree, order, polar, azimuth)
        found += [value.real, value.imag]
    return np.stack(found, axis=-1)


def harmonics_of_circle(degree, points):
    """Cosine and sine."""
    angle = degree * np.arctan2(points[..., 1], points[..., 0])
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def projected(degree, beta, forms, values, model):
    """The linearised operator about the uniform density among the harmonics of a degree, all by quadrature."""
    dim = len(forms[0])
    angle = 2 * np.pi * np.arange(60) / 60
    circle = np.column_stack([np.cos(angle), np.sin(angle)]), np.full(60, 1 / 60)
    points, weights = circle if dim == 2 else sphere_rule(24)
    harmonics = harmonics_of_circle if dim == 2 else harmonics_of_sphere
    f, step = harmonics(degree, points), 1e-5
    shifts = step * np.eye(dim)[:, None, :]
    gradient = np.stack(
        [(harmonics(degree, points + s) - harmonics(degree, points - s)) / (2 * step) for s in shifts], -1
    )
    flux = np.zeros((len(points), f.shape[1], dim))
    for form, value in zip(forms, values, strict=True):
        pairs = np.exp(beta * points @ form @ points.T) * weights
        mean, moved = pairs @ points @ value.T, np.einsum("xy,yb,yi->xbi", pairs, f, points @ value.T)
        if model == "sa":
            total, seen = pairs.sum(axis=1), pairs @ f
            moved = moved / total[:, None, None] - mean[:, None] * (seen / total[:, None] ** 2)[..., None]
            mean = mean / total[:, None]
        flux += moved + f[..., None] * mean[:, None]
    gram = np.einsum("x,xa,xb->ab", weights, f, f)
    return np.linalg.solve(gram, np.einsum("x,xai,xbi->ab", weights, gradient, flux))


@pytest.mark.parametrize(("dim", "degree", "model"), [(2, 1, "usa"), (2, 3, "sa"), (3, 1, "sa"), (3, 3, "usa")])
def test_splitting_is_that_of_the_operator(dim, degree, model):
    """Two heads of either sign, all of F and G at random: eigenvalues at +-eps by quadrature, off by eps^2 at most."""
    rng, eps = np.random.default_rng(degree + 10 * dim), 1e-3
    tilts, turns = (rng.integers(-9, 10, (2, dim, dim)) / 10 for _ in range(2))
    scales, gains = (1.0, -0.7), (1.0, 0.5)

    def at(size):
        forms = [m * np.eye(dim) + size * tilt for m, tilt in zip(scales, tilts, strict=True)]
        values = [g * np.eye(dim) + size * turn for g, turn in zip(gains, turns, strict=True)]
        return projected(degree, 1.5, forms, values, model)

    slope = (at(eps) - at(-eps)) / (2 * eps)
    expected = np.sort(np.linalg.eigvals(slope).real)[::-1]
    exact = [
        [[[sp.Rational(round(10 * x), 10) for x in row] for row in one] for one in part] for part in (tilts, turns)
    ]
    zero = [sp.zeros(dim)] * 2
    options = {"gains": [1, "0.5"], "model": model}
    rest = mh.splitting(degree, dim, "1.5", [1, "-0.7"], zero, zero, **options)
    split = mh.splitting(degree, dim, "1.5", [1, "-0.7"], *exact, **options)
    assert float(rest.rate) == pytest.approx(np.trace(at(0)) / len(expected), rel=1e-7)
    found = np.array(split.rates()) - float(rest.rate)
    np.testing.assert_allclose(found, expected, atol=3e-4 * np.abs(expected).max())


@pytest.mark.parametrize("model", ["usa", "sa"])
@pytest.mark.parametrize("degree", [1, 2, 4])
def test_splitting_in_eight_dimensions_on_the_zonal_harmonic(degree, model):
    """Dim 8, G and F along one axis: the mean of the operator on the harmonic about that axis, by two Gauss rules.

    At x with first coordinate t the others of y enter by one angle: y = (s, sqrt(1 - s^2) (u, ...)), u Gegenbauer.
    """
    dim, beta, eps = 8, 1.3, 1e-4

    def mean(size_form, size_value):
        t, wt = rule(dim, 30)
        p, dp = zonal(degree, dim, t)
        rows = []
        for place in range(len(t)):
            s, u = t[:, None], rule(dim - 1, 30)[0][None, :]
            weight = wt[:, None] * rule(dim - 1, 30)[1][None, :]
            r = np.sqrt(1 - t[place] ** 2)
            across = np.sqrt(1 - s**2) * u
            score = (1 + size_form) * t[place] * s + r * across
            pair = weight * np.exp(beta * score)
            f = p[:, None]
            pulls = (
                [((1 + size_value) * s * pair * q).sum() for q in (1, f)],
                [(across * pair * q).sum() for q in (1, f)],
            )
            total = [(pair * q).sum() for q in (1, f)]
            tangent = [r * pulls[0][q] - t[place] * pulls[1][q] for q in (0, 1)]
            if model == "sa":
                tangent = [tangent[0] / total[0], tangent[1] / total[0] - tangent[0] * total[1] / total[0] ** 2]
            rows.append(dp[place] * r * (tangent[1] + p[place] * tangent[0]))
        return float(wt @ rows / (wt @ p**2))

    axis = sp.diag(1, *[0] * (dim - 1))
    for tilt, turn in ((1, 0), (0, 1)):
        slope = (mean(eps * tilt, eps * turn) - mean(-eps * tilt, -eps * turn)) / (2 * eps)
        split = mh.splitting(degree, dim, "1.3", [1], [tilt * axis], [turn * axis], model=model)
        rest = mh.splitting(degree, dim, "1.3", [1], [0 * axis], [0 * axis], model=model)
        t, wt = rule(dim, 30)
        p, _ = zonal(degree, dim, t)
        share = float(wt @ (p**2 * (t**2 - 1 / dim)) / (wt @ p**2))
        traceless = float(split.form[0, 0]) * dim / (dim - 1)
        assert float(split.rate - rest.rate) + traceless * share == pytest.approx(slope, rel=1e-5)


def rule(dim, count):
    """Nodes and weights of the first coordinate of a uniform point, by Gauss-Gegenbauer."""
    from scipy.special import roots_gegenbauer

    nodes, weights = roots_gegenbauer(count, (dim - 2) / 2)
    return nodes, weights / weights.sum()


def zonal(degree, dim, t):
    """P_k and its derivative."""
    from scipy.special import eval_gegenbauer

    order, top = (dim - 2) / 2, eval_gegenbauer(degree, (dim - 2) / 2, 1.0)
    return eval_gegenbauer(degree, order, t) / top, 2 * order * eval_gegenbauer(degree - 1, order + 1, t) / top
