"""What is said in a session as lines, in the order in which it was said."""

from collections.abc import Callable

from msgspec import Struct

from onellm.types.realtime_events import (
    InputCommitted,
    RealtimeEvent,
    ResponseDone,
    Role,
    TextDelta,
    TextDone,
    TranscriptDelta,
    TranscriptDone,
)

_CUT = "…"


class _Turn(Struct):
    """What one side says. key: of its item, or of its response; "" where it has none."""

    role: Role
    key: str
    response_id: str | None = None
    text: str = ""
    over: bool = False


class Words:
    """The words of both sides, a line a turn.

    What the user said is written down while the model answers already, and often comes after the answer. A line
    therefore waits for those before it; `close` gives what is left.

    say:  takes a line that is whole
    """

    def __init__(self, say: Callable[[Role, str], object]) -> None:
        self._say = say
        self._turns: list[_Turn] = []

    @property
    def waiting(self) -> bool:
        """Whether the words of something that the user said are still to come."""
        return any(turn.role == "user" and not turn.over for turn in self._turns)

    def feed(self, event: RealtimeEvent) -> None:
        match event:
            case InputCommitted(item_id=item_id):
                for turn in self._turns:
                    turn.over |= turn.role == "user"  # nobody wrote down what came before
                self._turn("user", item_id, None)
            case TranscriptDelta(role=role, text=text):
                turn = self._turn(role, event.item_id, event.response_id)
                turn.text = text if event.cumulative else turn.text + text
            case TextDelta(text=text):
                self._turn("assistant", event.item_id, event.response_id).text += text
            case TranscriptDone(role=role, text=text):
                self._end(self._turn(role, event.item_id, event.response_id), text)
            case TextDone(text=text):
                self._end(self._turn("assistant", event.item_id, event.response_id), text)
            case ResponseDone(response_id=response_id):
                self._cut(response_id)
            case _:
                return
        while self._turns and self._turns[0].over:
            self._give()

    def close(self) -> None:
        """There is no more: say what came, whole or not."""
        while self._turns:
            self._give()

    def _turn(self, role: Role, item_id: str | None, response_id: str | None) -> _Turn:
        key = item_id or response_id or ""
        for turn in self._turns:
            if (turn.role, turn.key) == (role, key) and not turn.over:
                return turn
        self._turns.append(turn := _Turn(role, key, response_id))
        return turn

    def _end(self, turn: _Turn, text: str) -> None:
        turn.text = text
        turn.over = True

    def _cut(self, response_id: str) -> None:
        """End what a response has not ended."""
        for turn in self._turns:
            if turn.response_id == response_id and not turn.over:
                self._end(turn, turn.text + _CUT if turn.text else "")

    def _give(self) -> None:
        turn = self._turns.pop(0)
        if text := turn.text.strip():
            self._say(turn.role, text if turn.over or text.endswith(_CUT) else text + _CUT)
