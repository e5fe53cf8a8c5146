from .competition import competition_exponent as competition_exponent
from .solution import Expansion as Expansion
from .solution import expansion as expansion
