from .flow import Flow as Flow
from .parts import Causal as Causal
from .parts import Head as Head
from .parts import RandomLayers as RandomLayers
