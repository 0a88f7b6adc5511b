"""Calls whose arguments come value by value, for who asks with `streamFunctionCallArguments`.

{"partialArgs": [{"jsonPath": "$.steps[1]", "stringValue": "Boil", "willContinue": true}], "willContinue": true}
"""

# pyright: reportUnknownVariableType=false
# JSON of any shape is built here.

import re
from typing import Any

from msgspec import Struct

_STEP = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]|\[(\d+)\]")
_MOST_ITEMS = 100_000


class PartialArg(Struct, gc=False):
    """A value, or a further piece of a text."""

    jsonPath: str = ""  # noqa: N815 - the wire's names
    stringValue: str | None = None  # noqa: N815
    numberValue: float | int | None = None  # noqa: N815
    boolValue: bool | None = None  # noqa: N815


class OpenCall:
    """A call that is not whole yet."""

    __slots__ = ("args", "id", "name", "signature")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.signature: str | None = None
        self.args: dict[str, Any] = {}

    def add(self, given: PartialArg) -> None:
        """Put a value where its path says; a path that leads nowhere is left out."""
        steps: list[str | int] = [
            int(place) if place else name or quoted for name, quoted, place in _STEP.findall(given.jsonPath)
        ]
        value: Any = given.stringValue
        if value is None:
            value = given.boolValue if given.boolValue is not None else given.numberValue
        holder: Any = self.args
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if not _fits(holder, step):
                return
            held = _get(holder, step)
            if following is None:
                holder[step] = held + value if isinstance(held, str) and isinstance(value, str) else value
            elif held is None:
                holder[step] = held = [] if isinstance(following, int) else {}
            holder = held

    def part(self) -> dict[str, Any]:
        """The call as if it had come whole."""
        call: dict[str, Any] = {"id": self.id} if self.id else {}
        call |= {"name": self.name, "args": self.args}
        return {"functionCall": call} | ({"thoughtSignature": self.signature} if self.signature else {})


def _fits(holder: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(holder, list) and step < _MOST_ITEMS
    return isinstance(holder, dict)


def _get(holder: Any, step: str | int) -> Any:
    """What is held there; a list is made long enough."""
    if isinstance(step, str):
        return holder.get(step)
    holder.extend([None] * (step + 1 - len(holder)))
    return holder[step]
