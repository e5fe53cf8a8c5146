"""The attention weight and the noise, which most subcommands take."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gegenflow import theory as th
from gegenflow.numerics.tokens.refusals import Refused
from gegenflow.numerics.validation.command.arguments import NOISE, flat
from gegenflow.numerics.validation.command.parser import Parser

if TYPE_CHECKING:
    from gegenflow.theory.kernels.kernel import Kernel


def add_interaction(sub: Parser) -> None:
    """The attention weight and the noise."""
    text = "attention weight, a formula in t = <x, y> and beta, such as 'relu(t)' or '1 + beta*t' (default exp(beta*t))"
    sub.add_argument("--kernel", help=text)
    text = f"1/kappa of dX = drift dt + sqrt(2/kappa) dW, {NOISE}, kept exact (default 0)"
    sub.add_argument("--noise", type=NOISE, help=text)


def read_kernel(formula: str) -> Kernel:
    """The kernel of a formula.

    >>> print(read_kernel("1 + t").weight)
    t + 1
    """
    if not formula.strip():
        raise Refused("kernel", repr(formula), "a formula in t and beta is needed, such as tanh(3*t)")
    return th.Kernel(formula)


def kernel_of(options: Namespace) -> Kernel | None:
    """The kernel, None for the exponential one; beta is given where it is held, and no other symbol is left.

    >>> print(kernel_of(Namespace(kernel="1 + t", beta=None)).weight)
    t + 1
    >>> kernel_of(Namespace(kernel="tanh(t)", beta="5"))
    Traceback (most recent call last):
    gegenflow.numerics.tokens.refusals.Refused: beta 5: the kernel tanh(t) holds no beta; leave it out
    """
    if options.kernel is None:
        if options.beta is None:
            raise Refused("beta", None, "the inverse temperature is needed")
        return None
    kernel = read_kernel(options.kernel)
    if others := [name for name in kernel.parameters if name != "beta"]:
        raise Refused("kernel", options.kernel, f"a number is needed in the place of {', '.join(others)}")
    if "beta" in kernel.parameters and options.beta is None:
        raise Refused("beta", None, f"the kernel {options.kernel} needs it")
    if "beta" not in kernel.parameters and options.beta is not None:
        raise Refused("beta", _typed(options.beta), f"the kernel {options.kernel} holds no beta; leave it out")
    return kernel


def _typed(beta: str | Sequence[Sequence[str]]) -> str:
    return beta if isinstance(beta, str) else " ".join(flat(beta))
