"""What a TorchScript file may compute: the functions of a network, and nothing that reaches beyond its tensors.

TorchScript has operators that read, map and write files. A file is checked twice: its source before it is loaded, as
loading runs some methods already, and its graph before the first call.
"""

import io
import typing as t
from collections.abc import Iterator

#: Operators in the functions that scripts/export.py writes, or wrote for releases that may still be published;
#: tests/model/release/test_operators.py checks the list.
ALLOWED = frozenset(
    f"{library}::{name}"
    for library, names in {
        "prim": "Constant GetAttr ListConstruct ListUnpack NumToTensor TupleConstruct",
        "aten": """
            ScalarImplicit __and__ _convolution abs adaptive_avg_pool2d add all amax amin arange atan2 avg_pool2d
            batch_norm cat chunk clamp div exp expand_as flatten floor floor_divide full_like gt index index_select
            layer_norm le leaky_relu_ linear log lt matmul minimum mul neg ones_like pixel_shuffle reciprocal relu
            reshape rsub select sigmoid silu size slice squeeze sub sum tanh to transpose unflatten unsqueeze
            upsample_bilinear2d upsample_nearest2d view where zeros_like
        """,
    }.items()
    for name in names.split()
)

#: What a file's source may not name: methods that run while it is loaded, hooks, classes written in C++.
_NOT_IN_SOURCE = (b"__setstate__", b"__forward_hooks__", b"__forward_pre_hooks__", b"torch.classes")

#: Marks of the two kinds of files that torch.jit.load reads: an archive's at byte 0, a flatbuffer's at byte 4.
_ARCHIVE, _FLATBUFFER = b"PK\3\4", b"PTMF"


def check_source(torch: t.Any, data: bytes) -> None:
    """Refuse a TorchScript file that would run code of its own while it is loaded.

    Raises
    ------
    ValueError
        If it would, or is no archive.
    """
    if not data.startswith(_ARCHIVE) or data[4:8] == _FLATBUFFER:
        raise ValueError("not an archive")
    # PyTorch's own reader: another might see other files in the same bytes.
    archive = torch._C.PyTorchFileReader(io.BytesIO(data))
    for name in archive.get_all_records():
        if name.endswith((".py", ".pkl")):
            record = archive.get_record(name)
            for word in _NOT_IN_SOURCE:
                if word in record:
                    raise ValueError(f"{word.decode()} is not allowed in a model")


def check_graph(module: t.Any) -> None:
    """Refuse a module whose ``forward`` uses an operator that is not in `ALLOWED`.

    Raises
    ------
    ValueError
        If it does; the operator is named.
    """
    # Whatever it calls is part of the inlined graph; a call that could not be inlined is a node that is not allowed.
    for kind in kinds(module.inlined_graph):
        if kind not in ALLOWED:
            raise ValueError(f"the operator {kind} is not allowed in a model")


def kinds(block: t.Any) -> Iterator[str]:
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from kinds(inner)
