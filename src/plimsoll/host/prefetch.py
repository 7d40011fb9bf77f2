"""Asking for memory before it is needed: on a long trace, waiting for a request's rows takes half of the time."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

_READ, _KEEP, _DATA = 0, 3, 1  # of LLVM's prefetch


def prefetch(array: Any, at: int) -> None:
    """Ask for the line of cache that row ``at`` of an array begins in; nothing happens where there is no such row."""


def _typed(context: Any, array: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, word = signature.args[0], ir.IntType(32)
        struct = context.make_array(kind)(context, builder, arguments[0])
        row = builder.mul(cgutils.unpack_tuple(builder, struct.strides, kind.ndim)[0], arguments[1])
        address = builder.gep(builder.bitcast(struct.data, cgutils.voidptr_t), [row])
        form = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, word, word, word])
        ask = cgutils.get_or_insert_function(builder.module, form, "llvm.prefetch.p0i8")
        builder.call(ask, [address, word(_READ), word(_KEEP), word(_DATA)])
        return context.get_dummy_value()

    return types.none(array, at), generate


_ask: Any = intrinsic(_typed)


@overload(prefetch)
def _compiled(array: Any, at: Any) -> Any:
    def ask(array: Any, at: Any) -> None:
        _ask(array, at)

    return ask
