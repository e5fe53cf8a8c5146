"""Power of two, sine, cosine and angle as compiled functions whose loops become vector instructions, and a copy.

Inside a compiled loop ``np.exp``, ``np.sin`` and ``np.arctan2`` are one library call a value; these are branch-free
arithmetic: a range reduction, a polynomial, and for the power of two an exponent added to its bits.
They must not be compiled with reassociation, which would undo their roundings; a caller may be.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from gegenflow.numerics.tokens.geometry import Array

FAST = {"contract", "reassoc", "nsz", "arcp"}  # what loops around these functions may be compiled with

ROUNDER = 1.5 * 2.0**52  # adding it rounds to an integer, held in the low bits

LOG2_E = 1.4426950408889634
EXP2_SERIES = (
    4.4549605981865186e-10,
    7.072585949269223e-09,
    1.0178062445845774e-07,
    1.321544258792169e-06,
    1.525273382983612e-05,
    0.0001540353044173605,
    0.0013333558146416936,
    0.009618129107606888,
    0.0555041086648216,
    0.24022650695910097,
    0.6931471805599453,
    1.0,
)
EXP2_SERIES_FLOAT32 = (0.000154531634, 0.00133908633, 0.00961808311, 0.0555035695, 0.240226507, 0.693147182, 1.0)

QUARTERS = 0.6366197723675814  # 2/pi
QUARTER_HIGH, QUARTER_MIDDLE, QUARTER_LOW = 1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21  # pi/2

SIN_SERIES = tuple((-1) ** (k // 2) / factorial(k) for k in range(17, 2, -2))
COS_SERIES = tuple((-1) ** (k // 2) / factorial(k) for k in range(16, 3, -2))

TAN_EIGHTH = 0.41421356237309503  # tan(pi/8)
ATAN_SERIES = (  # (atan r - r)/r^3 in powers of r^2, interpolated at 11 Chebyshev nodes of [0, tan(pi/8)^2]
    -0.01917688711906226,
    0.03923165829558719,
    -0.0508544973794026,
    0.0585814891280221,
    -0.06664511447381948,
    0.07692183190826087,
    -0.09090904578123903,
    0.11111111015256361,
    -0.14285714284666542,
    0.1999999999999552,
    -0.3333333333333333,
)


@njit(cache=True, fastmath={"contract"})
def exp2(x: float) -> float:
    r"""Power of two to 1.5 ulp for :math:`x \le 1000` (float64) or :math:`x \le 120` (float32), the type of x.

    .. math:: 2^x = 2^n 2^r, \qquad n = \operatorname{round}(x),\quad r = x - n

    Below -865 (float64) or -124 (float32) the value stays what it is there, about 1e-260 or 5e-38: denormal numbers
    are slow.  Multiply by 1/ln 2 for the exponential.

    >>> exp2(-3.0), exp2(0.0), exp2(np.float32(-5)), exp2(-1e9) == exp2(-865.0)
    (0.125, 1.0, 0.03125, True)

    Source: derived here; polynomials that are exact at 0 and interpolate at Chebyshev nodes of [-1/2, 1/2].
    """
    return _exp2(x)


def _exp2(x: float) -> float:
    raise NotImplementedError  # compiled code only


@overload(_exp2, jit_options={"fastmath": {"contract"}})
def _exp2_of_type(x: Any) -> Any:
    double = x == types.float64
    number: Any = np.float64 if double else np.float32
    integer: Any = np.int64 if double else np.int32
    rounder = number(1.5 * 2.0 ** (52 if double else 23))
    digits, least = integer(52 if double else 23), number(-865 if double else -124)
    leading, *others = map(number, EXP2_SERIES if double else EXP2_SERIES_FLOAT32)
    series = tuple(others)

    def power(x: Any) -> Any:
        x = max(x, least)
        shifted = x + rounder
        rest = x - (shifted - rounder)
        value = leading
        for coefficient in series:
            value = value * rest + coefficient
        exponent = number(shifted).view(integer) << digits
        return integer(number(value).view(integer) + exponent).view(number)

    return power


@njit(cache=True, fastmath={"contract"})
def sincos(x: float) -> tuple[float, float]:
    r"""Sine and cosine, each to 1 ulp, for :math:`|x| \le 10^5`.

    .. math:: x = n\tfrac{\pi}{2} + r, \qquad |r| \le \tfrac{\pi}{4}

    with :math:`\pi/2` in three parts, the products of the first two with n exact; beyond :math:`10^5` the reduction
    loses digits, without warning.

    >>> sine, cosine = sincos(1e5)
    >>> bool(abs(sine**2 + cosine**2 - 1) < 4e-16), sincos(0.0)
    (True, (0.0, 1.0))

    Source: derived here; Cody-Waite reduction with its remainder kept.
    """
    shifted = x * QUARTERS + ROUNDER
    turns = shifted - ROUNDER
    coarse = x - turns * QUARTER_HIGH
    middle = turns * QUARTER_MIDDLE
    near = coarse - middle
    lost = ((coarse - near) - middle) - turns * QUARTER_LOW
    r = near + lost
    tail = (near - r) + lost
    s = r * r
    value = 0.0
    for coefficient in SIN_SERIES:
        value = value * s + coefficient
    sine = r + (value * (s * r) + tail)
    value = 0.0
    for coefficient in COS_SERIES:
        value = value * s + coefficient
    main = 1.0 - 0.5 * s
    cosine = main + (((1.0 - main) - 0.5 * s) + (value * (s * s) - r * tail))
    quadrant = np.float64(shifted).view(np.int64)
    swap = (quadrant & np.int64(1)) != 0
    a, b = (cosine, sine) if swap else (sine, cosine)
    a = -a if (quadrant & np.int64(2)) != 0 else a
    b = -b if ((quadrant + np.int64(1)) & np.int64(2)) != 0 else b
    return a, b


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def angle(y: float, x: float) -> float:
    r"""Angle of the point (x, y) in [-pi, pi], within 5e-16; nan at the origin, +pi on the negative axis.

    .. math:: \tan\varphi = y/x, \qquad \arctan\frac{a}{b} = \frac{\pi}{4} + \arctan\frac{a - b}{a + b}

    The second identity brings the argument of the polynomial below :math:`\tan(\pi/8)` with one division.

    >>> bool(abs(angle(1.0, -1.0) - 0.75 * np.pi) < 5e-16), angle(0.0, 2.0)
    (True, 0.0)

    Source: DLMF 4.24(iii), the addition theorem of the arctangent.
    """
    width, height = abs(x), abs(y)
    small, large = min(width, height), max(width, height)
    steep = small > TAN_EIGHTH * large
    numerator = small - large if steep else small
    denominator = small + large if steep else large
    r = numerator / denominator
    s = r * r
    value = 0.0
    for coefficient in ATAN_SERIES:
        value = value * s + coefficient
    phi = (0.25 * np.pi if steep else 0.0) + (r + r * (s * value))
    phi = 0.5 * np.pi - phi if height > width else phi
    phi = np.pi - phi if x < 0.0 else phi
    return -phi if y < 0.0 else phi


@njit(cache=True)
def write(out: Array, values: Array) -> None:
    """As ``out[:] = values`` of one axis, of which numba compiles a sentence on shapes, too: two seconds at each place.

    ``values`` may be longer than ``out``.

    >>> row = np.zeros(2)
    >>> write(row, np.array([3.0, 4.0, 5.0]))
    >>> row
    array([3., 4.])
    """
    for k in range(len(out)):
        out[k] = values[k]
