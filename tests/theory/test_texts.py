"""Where the theory takes numbers it takes their texts; no text is run, and no exponent fills the memory."""

import pytest

from gegenflow import theory as th

LOW = th.low_temperature
CALLS = {
    "vertices": lambda x: th.clusters.cluster_spectrum([[x, 0], [0, 1]], 1),
    "weights": lambda x: th.clusters.energy_slope([[1, 0], [0, 1]], [[0, 1], [1, 0]], 1, weights=[x, "1/2"]),
    "tokens": lambda x: th.clusters.energy_slope([[x, 0], [0, 1]], [[0, 1], [1, 0]], 1),
    "velocities": lambda x: th.clusters.energy_slope([[1, 0], [0, 1]], [[0, x], [1, 0]], 1),
    "matrix": lambda x: th.clusters.energy_slope([[1, 0], [0, 1]], [[0, 1], [1, 0]], 1, matrix=[[x, 0], [0, 1]]),
    "gap": lambda x: LOW.ProjectionLaw(x, 1, 1),
    "density": lambda x: LOW.diffusion(x, 3),
    "density of a series": lambda x: LOW.velocity_series(x, 3),
    "density of a speed": lambda x: LOW.drift_speed(x, 3),
    "overlap": lambda x: th.gegenbauer(3, 3, x),
    "overlap of a weight": lambda x: th.sphere.zonal_weight(3, x),
    "values": lambda x: LOW.limit_map([[x, 0], [0, 1]]),
    "eigenvalues": lambda x: th.spectral_selection.stability([1], 0, [x, 1], 1),
    "values of an equilibrium": lambda x: th.spectral_selection.equilibrium([[1, 0]], [[x, 0], [0, 1]], 1),
    "tokens of an equilibrium": lambda x: th.spectral_selection.equilibrium([[x, 0]], [[1, 0], [0, 2]], 1),
    "start of a cone": lambda x: th.spectral_selection.consensus_time("0.9", 0, [2, 1], start=x),
    "coefficients": lambda x: th.Kernel.series([x, 1]),
    "scales": lambda x: th.Kernel.heads([1], [x]),
    "kernel": lambda x: th.Kernel(x),
    "beta": lambda x: th.growth_rate(2, 2, x),
    "noise": lambda x: th.growth_rate(2, 2, noise=x),
    "between": lambda x: th.boundaries(th.Kernel.exponential(), 2, (1, x)),
    "mass": lambda x: th.clusters.survival_beta(x),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_text_is_never_run(call, monkeypatch):
    """What sympy would evaluate is refused: the text would leave a mark."""
    monkeypatch.delattr(th, "RAN", raising=False)
    with pytest.raises(th.Refused):
        call("setattr(__import__('gegenflow.theory').theory, 'RAN', True)")
    assert not hasattr(th, "RAN")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("text", ["1e999999999", "-1E+999999999999"])
def test_a_huge_exponent_is_refused_at_once(call, text):
    """Written out it would fill the memory."""
    with pytest.raises(th.Refused):
        call(text)


def test_texts_of_numbers_are_exact():
    """A decimal and a fraction, where an expression may stand."""
    assert th.gegenbauer(2, 3, "1/2") == th.gegenbauer(2, 3, "0.5") == -th.gegenbauer(1, 3, "1/8")
