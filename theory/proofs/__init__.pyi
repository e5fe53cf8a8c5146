from .proof import Proof as Proof
from .steps import Step as Step
