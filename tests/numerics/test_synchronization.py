"""Resultant, distance to a Dirac and smallest overlap: against extended precision, closed forms and linear rates."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from gegenflow import numerics as nm
from gegenflow.numerics.densities.circle_starts import circle_density
from gegenflow.numerics.flows.flow import Flow
from gegenflow.numerics.systems.synchronization import DiracDistance, Resultant, SmallestOverlap

SA = Flow(beta=2, model="sa")


@given(n=integers(1, 40), dim=integers(2, 6), spread=floats(-9, 0), seed=integers(0, 999))
def test_all_three_in_extended_precision(n, dim, spread, seed):
    """Written out at 40 digits, with arccosines, for tokens as near to each other as 1e-9."""
    rng = np.random.default_rng(seed)
    tokens = nm.normalize(nm.uniform(1, dim, rng=rng) + 10.0**spread * rng.standard_normal((n, dim)))
    weights = rng.dirichlet(np.full(n, 3.0))
    with mpmath.workdps(40):
        rows = [[mpmath.mpf(float(c)) for c in row] for row in tokens]
        rows = [[c / mpmath.norm(row) for c in row] for row in rows]
        mean = [mpmath.fdot(map(float, weights), [row[c] for row in rows]) for c in range(dim)]
        length = mpmath.norm(mean)
        squares = [mpmath.acos(min(mpmath.fdot(row, mean) / length, mpmath.mpf(1))) ** 2 for row in rows]
        distance = mpmath.sqrt(mpmath.fdot(map(float, weights), squares))
        overlap = min(mpmath.fdot(a, b) for a in rows for b in rows)
    assert Resultant()(tokens, weights, SA) == pytest.approx(float(length), rel=1e-14)
    assert DiracDistance()(tokens, weights, SA) == pytest.approx(float(distance), rel=1e-13, abs=1e-15)
    assert SmallestOverlap()(tokens, weights, SA) == pytest.approx(float(overlap), rel=0, abs=3e-16 * max(1, dim))


def test_many_tokens_come_in_blocks():
    """The smallest of all overlaps at once."""
    tokens = nm.uniform(1500, 3, rng=0)
    exact = (tokens @ tokens.T).min()
    assert SmallestOverlap()(tokens, np.full(1500, 1 / 1500), SA) == pytest.approx(exact, abs=1e-15)


@pytest.mark.parametrize(("model", "rate"), [("usa", np.exp(1.2)), ("sa", 1.0)])
def test_near_a_dirac_the_distance_decays_at_the_local_rate(model, rate):
    """The rates e^beta (USA) and one (SA) of the linearisation, at distances down to 1e-8."""
    start = nm.normalize(np.eye(1, 3) + 1e-3 * nm.uniform(50, 3, rng=0))
    run = nm.simulate(
        start, beta=1.2, model=model, t_end=11 / rate, observe=[DiracDistance()], rtol=1e-13, atol=0.0, method="dense"
    )
    distance = run.observables["dirac_distance"]
    assert distance[-1] < 2e-8
    assert np.log(distance[0] / distance[-1]) / run.t[-1] == pytest.approx(rate, rel=1e-5)


def test_the_resultant_of_a_density_is_that_of_its_samples():
    """f = 1 + a cos on the circle has the mean a/2."""
    assert Resultant().of_density(circle_density(lambda angle: 1 + 0.6 * np.cos(angle - 1)), SA) == pytest.approx(0.3)


def test_a_mean_without_direction_is_refused():
    """Two antipodal tokens."""
    with pytest.raises(ValueError, match="their mean is zero"):
        DiracDistance()(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.full(2, 0.5), SA)
