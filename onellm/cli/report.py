"""What the command line says on standard error: one line each."""

import sys
import traceback

from onellm.errors import (
    APIConnectionError,
    AuthenticationError,
    ContextLengthExceededError,
    NotFoundError,
    OneLLMError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    ResponseDecodeError,
)

_LONGEST = 600

# What to do, where the message cannot know that it is read at a command line.
_HINTS: dict[type[BaseException], str] = {
    AuthenticationError: "`onellm config` shows which key is sent",
    NotFoundError: "`onellm models {provider}` lists its models",
    ContextLengthExceededError: "shorten the prompt, or ask a model with a larger context",
    QuotaExceededError: "the account at {provider} needs credit",
    RateLimitError: "ask again later",
    OverloadedError: "ask again later",
    APIConnectionError: "`onellm config` shows the address that is asked",
    ResponseDecodeError: "`onellm config` shows the address that is asked: is it an API?",
}


def notice(text: str) -> None:
    """Say something that is not part of the output."""
    print(f"onellm: {text}", file=sys.stderr, flush=True)


def report(exc: Exception, *, debug: bool) -> None:
    """Say what went wrong and what to do; with `debug` after the traceback."""
    if debug:
        traceback.print_exception(exc)
    if not isinstance(exc, OneLLMError):
        text = f"internal error: {type(exc).__name__}: {exc}" + ("" if debug else "; --debug shows where")
    else:
        text = str(exc)
        hint = next((_HINTS[cls] for cls in type(exc).__mro__ if cls in _HINTS), None)
        if hint:
            text += "; " + hint.format(provider=exc.provider)
    notice(one_line(text, _LONGEST))


def one_line(text: str, longest: int) -> str:
    """Text from anywhere, fit for one line of a terminal."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def printable(text: str) -> str:
    """Text without the control characters by which a terminal can be made to do things; line ends and tabs stay."""
    return text.translate(_CONTROL)


_CONTROL = dict.fromkeys(code for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t")
