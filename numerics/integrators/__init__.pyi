from .driver import Status as Status
