from .attention import KernelLike as KernelLike
from .attention import funk_hecke as funk_hecke
from .kernel import Kernel as Kernel
from .terms import half_power_multiplier as half_power_multiplier
from .terms import power_multiplier as power_multiplier
