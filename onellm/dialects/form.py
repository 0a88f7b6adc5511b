"""Arguments as the plain fields of a form, or of a query: `name[]` for a list, `a[b]` for an object in another."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Iterator, Mapping
from typing import Any


def encode_fields(params: Mapping[str, Any], *, brackets: bool = True) -> tuple[tuple[str, str], ...]:
    """The fields in the order of the arguments; None is left out. Without brackets a list repeats its plain name."""
    return tuple(field for name, value in params.items() for field in _fields(name, value, brackets=brackets))


def _fields(name: str, value: Any, *, brackets: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _fields(f"{name}[{key}]", item, brackets=brackets)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _fields(f"{name}[]" if brackets else name, item, brackets=brackets)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif value is not None:
        yield name, str(value)
