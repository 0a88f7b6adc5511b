"""How functions that were given as tools are called, and what a model is told of what they return."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec


async def call_function(function: Callable[..., Any], positional: list[Any], named: dict[str, Any]) -> Any:
    """What a function returns; one that is not async runs in a thread, so that it holds up nothing else."""
    import inspect  # noqa: PLC0415 - only for those who give functions

    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - an object with an async __call__
        return await function(*positional, **named)
    value = await asyncio.to_thread(function, *positional, **named)
    return await value if inspect.isawaitable(value) else value


def said(value: Any) -> str | list[dict[str, Any]]:
    """What a function returned as a model is told it: a text as it is, content parts as they are, all else as JSON."""
    if isinstance(value, str):
        return value
    match value:
        case [{"type": "text" | "image_url" | "file" | "input_audio"}, *_]:
            return list(value)
        case _:
            return msgspec.json.encode(value, enc_hook=_plain).decode()


def _plain(value: Any) -> Any:
    """A pydantic model, or whatever can say itself as a dict."""
    if callable(dump := getattr(value, "model_dump", None)):
        return dump()
    raise TypeError(f"a tool returned {type(value).__name__}, which is no JSON: return a text, a dict or a Struct")
