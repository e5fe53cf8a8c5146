from .datasets import open_study as open_study
from .engine import Swept as Swept
from .engine import estimate as estimate
from .engine import rerun as rerun
from .engine import sweep as sweep
from .study import Adaptive as Adaptive
from .study import Study as Study
from .study import read_study as read_study
