"""Eight numbers in one vector, a type of compiled code on which it does arithmetic: a lane for each of eight runs.

>>> from numba import njit
>>> import numpy as np
>>> @njit
... def powers(numbers):
...     put(numbers, 0, exp2(2.0 * take(numbers, 0) - take(numbers, 8)))
>>> numbers = np.arange(16.0)
>>> powers(numbers)
>>> numbers[:8] == 2.0 ** np.arange(-8, 0)
array([ True,  True,  True,  True,  True,  True,  True,  True])
"""

from __future__ import annotations

import operator
from math import factorial, log
from struct import pack, unpack
from typing import Any, ClassVar, cast

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.typing import templates
from numba.extending import lower_builtin, models, register_model

from gegenflow.numerics.fields.compiled.elementary import ROUNDER
from gegenflow.numerics.fields.compiled.vectors import (
    FUSED,
    INTEGERS,
    LANES,
    LEAST,
    NUMBERS,
    constant,
    spread,
    vector_code,
)

SERIES = [log(2.0) ** k / factorial(k) for k in range(7, 0, -1)]
SERIES[1] += 0.9 / 16**2 * log(2.0) ** 8 / factorial(8)  # the eighth term up to a tenth, where it is 3e-16
ROOTS = [unpack("q", pack("d", 2.0 ** (k / 8)))[0] - (k << 49) for k in range(8)]  # their k comes back with n


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name="lanes")


lanes = _Lanes()


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, NUMBERS)  # type: ignore[no-untyped-call]


def _place(context: Any, builder: Any, kind: Any, array: Any, first: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [first]), NUMBERS.as_pointer())


@vector_code
def take(typing: Any, array: Any, first: Any) -> Any:
    """The lanes from entry ``first`` of a flat array on; nothing is checked."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, signature.args[0], *arguments), align=8)

    return lanes(array, types.intp), build


@vector_code
def put(typing: Any, array: Any, first: Any, values: Any) -> Any:
    """Write lanes from entry ``first`` of a flat array on; nothing is checked."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _place(context, builder, signature.args[0], *arguments[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), build


@vector_code
def same(typing: Any, number: Any) -> Any:
    """One number in all lanes."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return spread(builder, arguments[0])

    return lanes(types.float64), build


@vector_code
def where(typing: Any, marks: Any, values: Any, others: Any) -> Any:
    """``values`` in lanes whose mark is not zero, ``others`` elsewhere."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        marks, values, others = arguments
        return builder.select(builder.fcmp_unordered("!=", marks, constant(0.0)), values, others)

    return lanes(lanes, lanes, lanes), build


@vector_code
def root(typing: Any, values: Any) -> Any:
    """The square root."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, name = ir.FunctionType(NUMBERS, [NUMBERS]), f"llvm.sqrt.v{LANES}f64"
        function = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
        return builder.call(function, arguments)

    return lanes(lanes), build


@vector_code
def exp2(typing: Any, values: Any) -> Any:
    r"""Power of two to 2 ulp for :math:`x \le 1000`; below -865 the value stays what it is there.

    .. math:: 2^x = 2^n 2^{k/8} 2^r, \qquad 8n + k = \operatorname{round}(8x), \quad |r| \le 1/16

    from a table of eight, which is one vector, and the exponential series up to :math:`r^7`.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = builder.select(builder.fcmp_ordered(">", arguments[0], constant(LEAST)), arguments[0], constant(LEAST))
        shifted = builder.fadd(x, constant(ROUNDER / 8))
        rest = builder.fsub(x, builder.fsub(shifted, constant(ROUNDER / 8)))
        series = constant(SERIES[0])
        for coefficient in SERIES[1:]:
            series = builder.fadd(builder.fmul(series, rest, flags=FUSED), constant(coefficient), flags=FUSED)
        eighths = builder.bitcast(shifted, INTEGERS)
        place, root = builder.and_(eighths, ir.Constant(INTEGERS, [7] * LANES)), ir.Constant(INTEGERS, ir.Undefined)
        for lane in range(LANES):
            index = ir.Constant(ir.IntType(32), lane)
            entry = builder.extract_element(ir.Constant(INTEGERS, ROOTS), builder.extract_element(place, index))
            root = builder.insert_element(root, entry, index)
        root = builder.add(root, builder.shl(eighths, ir.Constant(INTEGERS, [49] * LANES)))
        root = builder.bitcast(root, NUMBERS)
        return builder.fadd(builder.fmul(builder.fmul(root, rest), series, flags=FUSED), root, flags=FUSED)

    return lanes(lanes), build


def _arithmetic(sign: Any, build: Any) -> None:
    kinds: list[Any] = [(lanes, lanes), (lanes, types.float64), (types.float64, lanes)]
    register, register_code = cast(Any, templates), cast(Any, lower_builtin)

    class _Template(templates.ConcreteTemplate):
        cases: ClassVar[list[Any]] = [register.signature(lanes, *kind) for kind in kinds]

    register.infer_global(sign)(_Template)

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(arguments, signature.args, strict=True)
        return build(builder, *(value if kind is lanes else spread(builder, value) for value, kind in pairs))

    for kind in kinds:
        register_code(sign, *kind)(lower)


_arithmetic(operator.add, lambda builder, a, b: builder.fadd(a, b, flags=FUSED))
_arithmetic(operator.sub, lambda builder, a, b: builder.fsub(a, b, flags=FUSED))
_arithmetic(operator.mul, lambda builder, a, b: builder.fmul(a, b, flags=FUSED))
_arithmetic(operator.truediv, lambda builder, a, b: builder.fdiv(a, b))
