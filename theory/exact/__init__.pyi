from .certified import Certified as Certified
from .certified import certify as certify
from .refusals import Refused as Refused
from .tables import Table as Table
