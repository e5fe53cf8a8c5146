"""Growth rates under noise: tokens that move at random against the rate without noise less nu k(k+d-2)."""

import numpy as np
import pytest

from gegenflow import numerics as nm
from gegenflow import theory as th


@pytest.mark.parametrize(
    ("dim", "model", "noise", "tokens", "runs"), [(2, "sa", 0.012, 200, 800), (3, "usa", 0.2, 200, 500)]
)
def test_noise_lowers_every_rate_by_the_eigenvalue_of_the_laplacian(dim, model, noise, tokens, runs):
    """Regression over independent starts and Brownian motions against certified rates, degrees 1 to 4, beta 5.

    False alarm rate: eight degrees at three standard errors, 2 % for a fresh seed; the seed is fixed. The bars are at
    most 5 % of the rate without noise, and tell the noise from none and from twice as much.
    """
    degrees = np.arange(1, 5)
    noisy, without = (
        np.array([float(th.growth_rate(int(k), dim, 5, model=model, noise=nu, digits=17)) for k in degrees])
        for nu in (noise, 0)
    )
    rates, errors = nm.uniform_rates(
        dim, beta=5.0, max_degree=4, window=1 / without.max(), tokens=tokens, runs=runs, model=model, noise=noise, rng=0
    )
    assert (errors < 0.05 * without).all()
    assert (abs(rates - noisy) < 3 * errors).all()
    assert (without[1:] - noisy[1:] > 3 * errors[1:]).all()
