"""What a model wrote, from the error that says it does not fit."""

from typing import Any


def written_in(error: Any) -> bytes:
    """The bytes that the error has, under either name that they have had."""
    found: bytes = error.raw if hasattr(error, "raw") else error.body
    return found
