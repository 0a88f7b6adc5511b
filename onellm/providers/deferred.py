"""What a row holds of a dialect until an operation that speaks it is first used.

Most programs use one operation of a host that serves a dozen, and the module of each dialect brings types and
decoders: importing them all takes longer than a call does.
"""

from importlib import import_module
from typing import Any

from msgspec import Struct


class Named(Struct, frozen=True):
    """What a module that is not imported yet defines: the class of a dialect, which takes its quirks, or a value."""

    module: str
    name: str

    def __call__(self, **quirks: Any) -> "Deferred":
        return Deferred(self, quirks)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self.make())

    def make(self) -> Any:
        """What the name stands for."""
        return getattr(import_module(self.module), self.name)


class Deferred(Struct, frozen=True):
    """A dialect with its quirks."""

    kind: Named
    quirks: dict[str, Any]

    def make(self) -> Any:
        """The dialect."""
        return self.kind.make()(**{name: _made(value) for name, value in self.quirks.items()})


class DialectField:
    """A field of a row that may hold something of the above: whoever reads it gets the dialect.

    Type checkers see the field whose place this takes once the class is made.
    """

    def __init__(self, slot: Any) -> None:
        self.held = slot.__get__
        self._keep = slot.__set__

    def __get__(self, row: object, kind: type | None = None) -> Any:
        if row is None:
            return self
        dialect = self.held(row)
        if type(dialect) in _LATER:
            dialect = dialect.make()
            self._keep(row, dialect)
        return dialect


def has_dialect(row: object, operation: str) -> bool:
    """Whether a row says how an operation is spoken; nothing is imported for it."""
    field = getattr(type(row), operation, None)
    held = field.held(row) if isinstance(field, DialectField) else getattr(row, operation, None)
    return held is not None


_LATER = frozenset({Named, Deferred})


def _made(quirk: Any) -> Any:
    return quirk.make() if type(quirk) in _LATER else quirk
