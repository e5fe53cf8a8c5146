from .curves import RateFunction as RateFunction
from .curves import rate_function as rate_function
from .derivation import Derivation as Derivation
from .derivation import linearize as linearize
from .rates import growth_rate as growth_rate
from .rates import noise_threshold as noise_threshold
