"""The vectors of the inputs that came last, so that what repeats is not sent again; bounded in bytes. Pure."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from array import array

_ENTRY = 512  # about the bytes that an entry takes beside its text and its numbers


class Recent:
    """Vectors by their inputs. One that is asked for stays; those that are not make room."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._vectors: OrderedDict[Any, array[float]] = OrderedDict()

    def get(self, key: Any) -> "array[float] | None":
        vector = self._vectors.get(key)
        if vector is not None:
            self._vectors.move_to_end(key)
        return vector

    def put(self, key: Any, vector: "array[float]") -> None:
        self._vectors[key] = vector
        self._left -= _size(key, vector)
        while self._left < 0:
            self._left += _size(*self._vectors.popitem(last=False))


def _size(key: Any, vector: "array[float]") -> int:
    return _ENTRY + 4 * len(key) + 4 * len(vector)
