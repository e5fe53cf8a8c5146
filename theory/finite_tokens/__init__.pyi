from .crossovers import boundary_share as boundary_share
from .crossovers import boundary_width as boundary_width
from .fluctuations import mean_field_distance as mean_field_distance
from .laws import SelectionLaw as SelectionLaw
from .selection import selection_law as selection_law
from .selection import tokens_needed as tokens_needed
