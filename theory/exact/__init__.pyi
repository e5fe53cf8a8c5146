from .certified import Certified as Certified
from .certified import certify as certify
from .tables import Table as Table
