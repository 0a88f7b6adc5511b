"""Calls as records of the logger `onellm`: one each, without content and without keys."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from onellm.policy.execution import Exchange
from onellm.policy.watched import Tokens, to_its_end
from onellm.types.events import RequestEvent, RetryEvent

LOGGER = logging.getLogger("onellm")
_LEVELS = {"info": logging.INFO, "debug": logging.DEBUG, "content": logging.DEBUG}


def set_up(level: str) -> None:
    """Let the records of a level out: to where logging goes, or to stderr where it goes nowhere."""
    wanted = _LEVELS[level]
    if LOGGER.level == logging.NOTSET or wanted < LOGGER.level:
        LOGGER.setLevel(wanted)
    if not LOGGER.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        LOGGER.addHandler(handler)


class Logging:
    """A layer that writes a record when a call is over.

    INFO where it has been answered or was left early, WARNING where it has failed. What it says in words is also in
    the fields of the record: `operation`, `provider`, `model`, `stream`, `seconds`, and where there is one
    `request_id`, `input_tokens`, `output_tokens`, `finish_reason`, `cached`, `error`, `status_code`, `code`. With
    "content" it has `request` and `answer`, too, at DEBUG. The words of an error are content.
    """

    def __init__(self, *, content: bool) -> None:
        self._content = content

    async def around(self, exchange: Exchange, go_on: Callable[[], Awaitable[Any]]) -> Any:
        """The call, with its record."""
        watch = _Logged(exchange, content=self._content)
        try:
            answer = await go_on()
        except BaseException as exc:
            watch.over(None, exc)
            raise
        return to_its_end(exchange, answer, watch)


def sent(event: RequestEvent) -> None:
    """A request goes out: a record of DEBUG."""
    about = {"operation": event.operation, "provider": event.provider, "model": event.model, "attempt": event.attempt}
    LOGGER.debug("%s %s: attempt %d", event.operation, _where(event.provider, event.model), event.attempt, extra=about)


def failed(event: RetryEvent) -> None:
    """A request has failed, and another follows: a record of DEBUG."""
    error = type(event.error).__name__
    about = {
        "operation": event.operation,
        "provider": event.provider,
        "model": event.model,
        "attempt": event.attempt,
        "error": error,
        "wait": event.wait,
        "next_model": event.next,
    }
    where = _where(event.provider, event.model)
    LOGGER.debug("%s %s: %s, next %s in %.3g s", event.operation, where, error, event.next, event.wait, extra=about)


class _Logged:
    """One call."""

    def __init__(self, exchange: Exchange, *, content: bool) -> None:
        self._exchange = exchange
        self._content = content
        self._began = time.monotonic()
        self._first: float | None = None

    def first(self) -> None:
        """The first chunk is there."""
        self._first = time.monotonic() - self._began

    def over(self, answer: Any, error: BaseException | None) -> None:
        """Write the record."""
        level = logging.INFO if error is None or not isinstance(error, Exception) else logging.WARNING
        if not LOGGER.isEnabledFor(level):
            return
        exchange = self._exchange
        seconds = time.monotonic() - self._began
        tokens = Tokens(answer)
        cached = getattr(answer, "cached", None)
        facts = {
            "request_id": getattr(answer if error is None else error, "request_id", None),
            "first_chunk_seconds": self._first,
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "finish_reason": next((each.finish_reason for each in getattr(answer, "choices", ())), None),
            "cached": None if cached is None else cached.age,
            "answered_by": answer.provider if getattr(answer, "fallbacks", ()) else None,
            "error": None if error is None else type(error).__name__,
            "status_code": getattr(error, "status_code", None),
            "code": getattr(error, "code", None),
        }
        facts = {name: value for name, value in facts.items() if value is not None}
        about: dict[str, Any] = {
            "operation": exchange.operation.name,
            "provider": exchange.provider,
            "model": exchange.model,
            "stream": exchange.operation.answers != "whole",
            "seconds": seconds,
            **facts,
        }
        ended = "failed" if error is not None else "answered" if answer is not None else "left"
        words = " ".join(f"{name}={value}" for name, value in facts.items())
        where = _where(exchange.provider, exchange.model)
        LOGGER.log(level, "%s %s: %s in %.3f s %s", exchange.operation.name, where, ended, seconds, words, extra=about)
        if self._content:
            told = answer if error is None else str(error)
            content = {**about, "request": exchange.request, "answer": told}
            LOGGER.debug(
                "%s %s: asked %r, told %r", exchange.operation.name, where, exchange.request, told, extra=content
            )


def _where(provider: str, model: str) -> str:
    return f"{provider}/{model}" if model else provider
