"""What is shared by code that is written out in vectors of eight numbers.

>>> from llvmlite.ir import Constant
>>> print(constant(0.5).type, Constant(INTEGERS, [1] * LANES).type)
<8 x double> <8 x i64>
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic

LANES = 8
NUMBERS, INTEGERS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.IntType(64), LANES)
FUSED = ("contract",)  # a product and a sum may be one instruction
LEAST = -865.0  # powers of two below it are that of it, as for exp2 of elementary

vector_code: Any = intrinsic  # called from compiled code without the typing context that its own type asks for


def constant(number: float) -> Any:
    """A number that is known, in all lanes."""
    return ir.Constant(NUMBERS, [number] * LANES)


def spread(builder: Any, number: Any, kind: Any = NUMBERS) -> Any:
    """A number, or a whole one, in all lanes of a vector of its kind."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
