from .steps import Step as Step
