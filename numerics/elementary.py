"""Exponential, sine, cosine and angle as compiled functions whose loops become vector instructions.

Inside a compiled loop ``np.exp``, ``np.sin`` and ``np.arctan2`` are one library call a value; these are branch-free
arithmetic: a range reduction, a polynomial, and for the exponential a power of two put together from its bits.
They must not be compiled with reassociation, which would undo their roundings; a caller may be.
"""

from math import factorial

import numpy as np
from numba import njit

ROUNDER = 1.5 * 2.0**52  # adding it rounds to an integer, held in the low bits
ROUNDER_BITS = np.int64(np.float64(ROUNDER).view(np.int64))
ONE_BITS = np.int64(1023)  # exponent bits of 1.0

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # 32 bits, and the rest
QUARTERS = 0.6366197723675814  # 2/pi
QUARTER_HIGH, QUARTER_MIDDLE, QUARTER_LOW = 1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21  # pi/2

EXP_SERIES = tuple(1 / factorial(k) for k in range(13, -1, -1))
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
def exp(x: float) -> float:
    r"""Exponential to 1 ulp.

    .. math:: e^x = 2^n e^r, \qquad n = \operatorname{round}(x/\ln 2),\quad r = x - n\ln 2

    for every x: below -708.4 the value is denormal, with an error of at most 1 of its spacing of 5e-324, below
    -745.13 it is 0, above 709.78 it is infinity; nan stays nan.

    >>> bool(abs(exp(1.0) - np.e) < 5e-16), exp(0.0), exp(-1e4), exp(1e4)
    (True, 1.0, 0.0, inf)

    Source: derived here; the split of ln 2 by its bits.
    """
    x = x if x > -746.0 else (-746.0 if x <= -746.0 else x)
    x = x if x < 710.0 else (710.0 if x >= 710.0 else x)
    shifted = x * LOG2_E + ROUNDER
    power = shifted - ROUNDER
    rest = (x - power * LN2_HIGH) - power * LN2_LOW
    value = 0.0
    for coefficient in EXP_SERIES:
        value = value * rest + coefficient
    exponent = np.float64(shifted).view(np.int64) - ROUNDER_BITS
    half = exponent >> np.int64(1)  # two factors: one alone would overflow, or lose the denormal numbers
    first = np.int64((half + ONE_BITS) << np.int64(52)).view(np.float64)
    second = np.int64((exponent - half + ONE_BITS) << np.int64(52)).view(np.float64)
    return value * first * second


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
