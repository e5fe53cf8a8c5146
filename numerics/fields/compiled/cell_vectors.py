r"""The inner loops of the cell method in vectors of four numbers, which numba does not form by itself.

.. math:: A_p \mathrel{+}= w u^p, \qquad (f, g) = \sum_{q < 4} u^{2q} (a_q + u b_q,\; c_q + u d_q), \qquad p < 8

:func:`add_powers` adds a token to the moments of its cell, from entry ``first`` of a table on; :func:`two_polynomials`
evaluates two polynomials of degree 7, with rows (a, b, c, d) of coefficients.  Compiled code alone can call them, and
neither checks that the entries exist.

>>> from numba import njit
>>> import numpy as np
>>> @njit
... def both(table, rows):
...     add_powers(table, np.int64(8), 3.0, 2.0)
...     return two_polynomials(rows, np.int64(16), 2.0)
>>> table = np.zeros((2, 8))
>>> both(table, np.arange(32.0))  # 16 + 17 u + 20 u^2 + ... and 18 + 19 u + 22 u^2 + ..., at u = 2
(6986.0, 7496.0)
>>> table
array([[  0.,   0.,   0.,   0.,   0.,   0.,   0.,   0.],
       [  3.,   6.,  12.,  24.,  48.,  96., 192., 384.]])
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from gegenflow.numerics.fields.compiled.vectors import vector_code


def _element(data: Any, first: Any, offset: int, builder: Any) -> Any:
    pointer = builder.gep(data, [builder.add(first, ir.Constant(first.type, offset))])
    return builder.bitcast(pointer, ir.VectorType(ir.DoubleType(), 4).as_pointer())


def _vector(numbers: list[Any], builder: Any) -> Any:
    vector = ir.Constant(ir.VectorType(ir.DoubleType(), 4), ir.Undefined)
    for lane, number in enumerate(numbers):
        vector = builder.insert_element(vector, number, ir.Constant(ir.IntType(32), lane))
    return vector


@vector_code
def add_powers(typing: Any, table: Any, first: Any, weight: Any, u: Any) -> Any:
    """table[first + p] += weight * u**p for p < 8 in two vectors of four; numba leaves such loops scalar."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, first, weight, u = arguments
        data = context.make_array(signature.args[0])(context, builder, table).data
        square, odd = builder.fmul(u, u), builder.fmul(weight, u)
        low = _vector([weight, odd, builder.fmul(weight, square), builder.fmul(odd, square)], builder)
        high = builder.fmul(low, _vector([builder.fmul(square, square)] * 4, builder))
        for offset, powers in ((0, low), (4, high)):
            pointer = _element(data, first, offset, builder)
            builder.store(builder.fadd(builder.load(pointer, align=8), powers), pointer, align=8)
        return context.get_dummy_value()

    return types.void(table, first, weight, u), build


@vector_code
def two_polynomials(typing: Any, local: Any, first: Any, u: Any) -> Any:
    """Speed and normaliser of a cell at u: Horner in u^2 for the even and odd parts of both in one vector."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        local, first, u = arguments
        data = context.make_array(signature.args[0])(context, builder, local).data
        square = _vector([builder.fmul(u, u)] * 4, builder)
        parts = builder.load(_element(data, first, 12, builder), align=8)
        for offset in (8, 4, 0):
            row = builder.load(_element(data, first, offset, builder), align=8)
            parts = builder.fadd(builder.fmul(parts, square, flags=["contract"]), row, flags=["contract"])
        part = [builder.extract_element(parts, ir.Constant(ir.IntType(32), lane)) for lane in range(4)]
        values = [
            builder.fadd(even, builder.fmul(u, odd, flags=["contract"]), flags=["contract"])
            for even, odd in (part[:2], part[2:])
        ]
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(types.float64, 2)(local, first, u), build  # type: ignore[no-untyped-call]
