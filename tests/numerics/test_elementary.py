"""The vectorised elementary functions against mpmath, at their edges, and as vector instructions."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists
from numba import njit

from gegenflow.numerics.fields.compiled import elementary, lanes
from gegenflow.numerics.fields.compiled.vectors import LANES

mpmath_context = mpmath.mp.clone()
mpmath_context.prec = 200


@njit
def all_exp2(x, out):
    for i in range(x.size):
        out[i] = elementary.exp2(x[i])


@njit
def all_exp2_in_lanes(x, out):
    for i in range(0, x.size, LANES):
        lanes.put(out, i, lanes.exp2(lanes.take(x, i)))


@njit
def all_sincos(x, sine, cosine):
    for i in range(x.size):
        sine[i], cosine[i] = elementary.sincos(x[i])


@njit
def all_angle(y, x, out):
    for i in range(x.size):
        out[i] = elementary.angle(y[i], x[i])


def exp2(x):
    out = np.empty_like(x)
    all_exp2(x, out)
    return out


def sincos(x):
    sine, cosine = np.empty(len(x)), np.empty(len(x))
    all_sincos(np.asarray(x, dtype=float), sine, cosine)
    return sine, cosine


def angle(y, x):
    out = np.empty(len(x))
    all_angle(np.asarray(y, dtype=float), np.asarray(x, dtype=float), out)
    return out


def ulps(values, function, arguments):
    """Largest error in units of the spacing of the type of the values at the exact value."""
    worst, number = 0.0, values.dtype.type
    for value, argument in zip(values.tolist(), np.asarray(arguments).tolist(), strict=True):
        exact = function(mpmath_context.mpf(argument))
        worst = max(worst, float(abs(exact - value)) / float(np.spacing(abs(number(float(exact))))))
    return worst


def power_of_two(x):
    return mpmath_context.mpf(2) ** x


@given(lists(floats(-865, 1000), min_size=1, max_size=50))
def test_power_of_two_is_within_one_and_a_half_ulp(x):
    """200 bits of mpmath."""
    x = np.array(x)
    assert ulps(exp2(x), power_of_two, x) <= 1.5


@pytest.mark.parametrize(("number", "least", "most"), [(np.float64, -865, 1000), (np.float32, -124, 120)])
def test_power_of_two_is_within_one_and_a_half_ulp_everywhere(number, least, most):
    """A fixed sample of the range of either type, the neighbourhood of 0 and the ends of the reduction, by mpmath."""
    rng = np.random.default_rng(0)
    ends = np.arange(-60.5, 60)
    x = np.concatenate([rng.uniform(least, most, 4000), rng.uniform(-1, 1, 3000), ends, np.nextafter(ends, 0)])
    x = x.astype(number)
    assert exp2(x).dtype == number
    assert ulps(exp2(x), power_of_two, x) <= 1.5


def test_power_of_two_in_lanes_is_within_two_ulp_everywhere():
    """As above, and at the ends of a reduction to sixteenths; constant below the least exponent."""
    rng = np.random.default_rng(0)
    ends = np.arange(-8 * LANES, 8 * LANES) / 8 + 1 / 16
    x = np.concatenate([rng.uniform(-865, 1000, 4000), rng.uniform(-1, 1, 3000), ends, np.nextafter(ends, 0)])
    out = np.empty_like(x)
    all_exp2_in_lanes(x, out)
    assert ulps(out, power_of_two, x) <= 2
    all_exp2_in_lanes(np.array([-865, -865.5, -1e5, -1e30, -np.inf, -0.0, 1.0, 10.0]), out[:LANES])
    np.testing.assert_array_equal(out[:LANES], [*[2.0**-865] * 5, 1.0, 2.0, 1024.0])


@pytest.mark.parametrize(("number", "least"), [(np.float64, -865), (np.float32, -124)])
def test_power_of_two_at_its_edges(number, least):
    """Exact at integers, and constant below the least exponent, where denormal numbers would follow."""
    whole = np.arange(least, -least // 2).astype(number)
    np.testing.assert_array_equal(exp2(whole), 2.0 ** whole.astype(np.float64))
    far = np.array([least, least - 0.5, -1e5, -1e30, -np.inf, -0.0], dtype=number)
    np.testing.assert_array_equal(exp2(far), [*[2.0**least] * 5, 1.0])


@given(lists(floats(-1e5, 1e5), min_size=1, max_size=50))
def test_sine_and_cosine_are_within_one_ulp(x):
    """200 bits of mpmath."""
    sine, cosine = sincos(x)
    assert ulps(sine, mpmath_context.sin, x) <= 1.0
    assert ulps(cosine, mpmath_context.cos, x) <= 1.0


def test_sine_and_cosine_are_within_one_ulp_everywhere():
    """A fixed sample of the range against mpmath; without the remainder of the reduction it has 1.3 ulp."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-1e5, 1e5, 2000), rng.uniform(-4, 4, 4000)])
    sine, cosine = sincos(x)
    assert ulps(sine, mpmath_context.sin, x) <= 1.0
    assert ulps(cosine, mpmath_context.cos, x) <= 1.0


@given(multiple=integers(-63_661, 63_661), steps=integers(-3, 3))
def test_zeros_of_sine_and_cosine_keep_their_relative_accuracy(multiple, steps):
    """The numbers next to multiples of pi/2, where a reduction with pi/2 in float64 loses all digits."""
    x = multiple * np.pi / 2
    x = [x + steps * np.spacing(x)]
    sine, cosine = sincos(x)
    assert ulps(sine, mpmath_context.sin, x) <= 1.0
    assert ulps(cosine, mpmath_context.cos, x) <= 1.0


@given(x=floats(-1e100, 1e100), y=floats(-1e100, 1e100))
def test_angle_is_the_arctangent_of_mpmath(x, y):
    """200 bits of mpmath, in every octant; the bound is two spacings at 1 and one at pi."""
    if max(abs(x), abs(y)) < 1e-290:
        return
    exact = mpmath_context.atan2(mpmath_context.mpf(y), mpmath_context.mpf(x))
    assert abs(exact - float(angle([y], [x])[0])) < 5e-16


@pytest.mark.parametrize(
    ("y", "x", "expected"),
    [(0.0, 1.0, 0.0), (1.0, 0.0, np.pi / 2), (-1.0, 0.0, -np.pi / 2), (0.0, -1.0, np.pi), (-1.0, 1.0, -np.pi / 4)],
)
def test_angle_on_the_axes_and_a_diagonal(y, x, expected):
    """The nearest float64 of the exact angle."""
    assert angle([y], [x])[0] == expected


@pytest.mark.parametrize("loop", [all_exp2, all_sincos, all_angle])
def test_loops_become_vector_instructions(loop):
    """The optimised code multiplies vectors of float64 and calls no function of the mathematics library."""
    exp2(np.zeros(1)), sincos([0.0]), angle([0.0], [1.0])
    code = loop.inspect_llvm(loop.signatures[0])
    assert "x double> " in code
    for name in ("@exp(", "@sin(", "@cos(", "@atan2(", "@exp2(", "@llvm.exp", "@llvm.sin.", "@llvm.cos."):
        assert name not in code
