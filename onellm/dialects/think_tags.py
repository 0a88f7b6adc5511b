"""Thinking between `<think>` and `</think>` at the start of an answer's text, taken out of it.

So models write it whose host does not take it apart. Only what stands at the very start counts: a tag later on is text
about tags. White space around the tags belongs to neither part; thinking that is never closed is thinking to the end.
"""

from onellm.types.chat import ChatCompletionMessage, ProviderData

OPEN = "<think>"
CLOSE = "</think>"
_SPACE = " \t\r\n"


class ThinkTags:
    """Takes one text apart as it comes.

    pieces:  the text as it came
    found:   whether it began with the tag
    """

    __slots__ = ("_after", "_begun", "_held", "_inside", "found", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.found = False
        self._held = ""  # what may be part of a tag, or white space beside one
        self._inside = False
        self._begun = False  # inside: whether some thinking was given
        self._after = False  # the text has begun: nothing is looked at from here on

    def feed(self, piece: str) -> tuple[str, str]:
        """What a piece adds to the thinking, and what to the text."""
        self.pieces.append(piece)
        if self._after:
            return "", piece
        held, self._held = self._held + piece, ""
        if not self.found:
            bare = held.lstrip(_SPACE)
            if not bare.startswith(OPEN):
                if OPEN.startswith(bare):  # nothing yet, or the start of the tag
                    self._held = held
                    return "", ""
                self._after = True
                return "", held
            self.found = self._inside = True
            held = bare[len(OPEN) :]
        thinking = ""
        if self._inside:
            thinking, held = self._think(held)
        if not self._inside:
            held = held.lstrip(_SPACE)
            self._after = bool(held)
            return thinking, held
        self._held = held
        return thinking, ""

    def close(self) -> tuple[str, str]:
        """At the end: the thinking and the text that were held back for a tag that did not come."""
        held, self._held = self._held, ""
        if self._inside:
            return held.rstrip(_SPACE), ""
        self._after = True
        return "", held

    def _think(self, held: str) -> tuple[str, str]:
        """Thinking, and what is left: after the tag that ends it, or what may yet be part of that."""
        if not self._begun:
            held = held.lstrip(_SPACE)
        at = held.find(CLOSE)
        if at >= 0:
            self._inside = False
            return held[:at].rstrip(_SPACE), held[at + len(CLOSE) :]
        most = min(len(CLOSE) - 1, len(held))
        kept = next((size for size in range(most, 0, -1) if held.endswith(CLOSE[:size])), 0)
        given = held[: len(held) - kept].rstrip(_SPACE)
        self._begun = self._begun or bool(given)
        return given, held[len(given) :]


def take_apart(message: ChatCompletionMessage, provider: str, *, goes_back: bool) -> None:
    """A whole message with its thinking in `reasoning`; with `goes_back` its host gets its text back as it came."""
    if message.content is None:
        return
    tags = ThinkTags()
    thinking, text = tags.feed(message.content)
    more, rest = tags.close()
    if not tags.found:
        return
    message.reasoning = (message.reasoning or "") + thinking + more or None
    message.content = text + rest
    finish(message, tags, provider, goes_back=goes_back)


def finish(message: ChatCompletionMessage, tags: ThinkTags, provider: str, *, goes_back: bool) -> None:
    """What a message is in the end whose text began with the tag: no text is None, and what came goes back."""
    message.content = message.content or None
    if goes_back:
        message.provider_data = ProviderData(provider=provider, data={"content": "".join(tags.pieces)})
