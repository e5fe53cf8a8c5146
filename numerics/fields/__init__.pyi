from .flow import Flow as Flow
from .method import attention_field as attention_field
from .parts import Causal as Causal
from .parts import Head as Head
from .parts import RandomLayers as RandomLayers
