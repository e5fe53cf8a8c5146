from .driver import Integration as Integration
from .driver import Status as Status
from .events import Crossing as Crossing
from .events import Event as Event
from .interrupts import Interrupted as Interrupted
from .paths import integrate as integrate
