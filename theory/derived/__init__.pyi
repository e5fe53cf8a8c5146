from .catalogue import Derivations as Derivations
from .catalogue import derivations as derivations
