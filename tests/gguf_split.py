"""A GGUF file in parts, as llama.cpp's own tool cuts it. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"""

import struct
from pathlib import Path
from typing import NamedTuple

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # of values, by their types
_STRING, _ARRAY, _UINT16, _INT32 = 8, 9, 2, 5
_ALIGNMENT = 32


class _Tensor(NamedTuple):
    head: bytes  # of its entry, up to its place
    place: int


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self, form: str) -> int:
        (found,) = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(form)
        return int(found)

    def skip_text(self) -> None:
        length = self.number("Q")
        self.at += length

    def skip_value(self, kind: int) -> None:
        if kind == _STRING:
            self.skip_text()
        elif kind == _ARRAY:
            item, count = self.number("I"), self.number("Q")
            if item in _SIZES:
                self.at += _SIZES[item] * count
            else:
                for _ in range(count):
                    self.skip_value(item)
        else:
            self.at += _SIZES[kind]

    def tensor(self) -> _Tensor:
        begin = self.at
        self.skip_text()
        dimensions = self.number("I")
        self.at += 8 * dimensions + 4  # and its type
        return _Tensor(self.data[begin : self.at], self.number("Q"))


def split(source: Path, folder: Path, count: int) -> list[Path]:
    """Write the parts of a model into a folder; gives their paths."""
    reader = _Reader(source.read_bytes())
    reader.at = 4
    version, n_tensors, n_facts = reader.number("I"), reader.number("Q"), reader.number("Q")
    begin = reader.at
    for _ in range(n_facts):
        reader.skip_text()
        reader.skip_value(reader.number("I"))
    facts = reader.data[begin : reader.at]
    tensors = [reader.tensor() for _ in range(n_tensors)]
    data = reader.data[_aligned(reader.at) :]
    ends = [tensor.place for tensor in tensors[1:]] + [len(data)]
    pieces = [data[tensor.place : end] for tensor, end in zip(tensors, ends, strict=True)]
    paths: list[Path] = []
    for part in range(count):
        mine = range(part * n_tensors // count, (part + 1) * n_tensors // count)
        about = _fact("split.no", _UINT16, part) + _fact("split.count", _UINT16, count)
        about += _fact("split.tensors.count", _INT32, n_tensors)
        entries, place = b"", 0
        for number in mine:
            entries += tensors[number].head + struct.pack("<Q", place)
            place += _aligned(len(pieces[number]))
        known = (facts, n_facts) if part == 0 else (b"", 0)
        head = b"GGUF" + struct.pack("<IQQ", version, len(mine), known[1] + 3) + known[0] + about + entries
        body = b"".join(_padded(pieces[number]) for number in mine)
        paths.append(folder / f"model-{part + 1:05}-of-{count:05}.gguf")
        paths[-1].write_bytes(_padded(head) + body)
    return paths


def _fact(name: str, kind: int, value: int) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode() + struct.pack("<IH" if kind == _UINT16 else "<Ii", kind, value)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _padded(data: bytes) -> bytes:
    return data + bytes(_aligned(len(data)) - len(data))
