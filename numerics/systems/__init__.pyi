from .causal import source_correlations as source_correlations
from .causal import strong_centres as strong_centres
from .low_temperature import linear_flow as linear_flow
from .low_temperature import zero_temperature_field as zero_temperature_field
from .random_layers import pair_distances as pair_distances
from .synchronization import DiracDistance as DiracDistance
from .synchronization import Resultant as Resultant
from .synchronization import SmallestOverlap as SmallestOverlap
