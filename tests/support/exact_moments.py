"""Moments of the sphere in fractions, for tests that share no code with the package."""

from fractions import Fraction


def moment(power: int, dim: int) -> Fraction:
    """Mean of x_1^power over S^{d-1}: 1*3*5*.../(d (d+2) (d+4) ...), by Gaussian vectors."""
    value = Fraction(1 - power % 2)
    for m in range(power // 2):
        value *= Fraction(2 * m + 1, dim + 2 * m)
    return value
