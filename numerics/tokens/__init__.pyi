from .clusters import cluster_centres as cluster_centres
from .clusters import cluster_labels as cluster_labels
from .geometry import lattice as lattice
from .geometry import normalize as normalize
from .geometry import quadrature as quadrature
from .geometry import uniform as uniform
from .reading import read_tokens as read_tokens
from .refusals import Refused as Refused
