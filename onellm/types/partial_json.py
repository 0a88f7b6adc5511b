"""JSON that is still being written, as a value of what is there."""

import re
from typing import Any

import msgspec

_CLOSERS = {"{": "}", "[": "]"}
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|"', re.DOTALL)
_CUT_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*(?P<cut>\\(?:u[0-9a-fA-F]{0,3})?)\Z")
_CUT_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")  # the first half of a character beyond the BMP
_NUMBER_OR_WORD = re.compile(r"[-0-9a-z]")


def partial_json(text: str) -> Any:
    """The value that the text has come to: open texts, lists and objects are closed where they stand.

    A key without a value, and a number or word that may go on, are left out. None where nothing is there yet, or where
    the text is no JSON. Linear in the text.
    """
    kept: list[str] = []
    closers: list[str] = []
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == '"':  # a text that is open: the rest is in it
            kept.append(_closed_text(text[token.end() :]))
            break
        if word in _CLOSERS:
            closers.append(_CLOSERS[word])
        elif word in ("}", "]"):
            if not closers or closers.pop() != word:
                return None
        elif token.end() == len(text) and _NUMBER_OR_WORD.match(word):
            break  # 12 may become 123
        kept.append(word)
    _drop_open_pair(kept, closers)
    try:
        return msgspec.json.decode("".join([*kept, *reversed(closers)]))
    except (msgspec.DecodeError, RecursionError):
        return None


def _closed_text(rest: str) -> str:
    rest = _CUT_ESCAPE.sub(lambda found: found[0][: -len(found["cut"])], rest)
    return f'"{_CUT_PAIR.sub("", rest)}"'


def _drop_open_pair(kept: list[str], closers: list[str]) -> None:
    """Take away what waits for more: a comma, a key, a key with its colon."""
    if kept and kept[-1] == ":":
        del kept[-2:]
    elif kept and closers and closers[-1] == "}" and kept[-1].startswith('"') and kept[-2] != ":":
        del kept[-1:]
    if kept and kept[-1] == ",":
        del kept[-1:]
