"""Putting streamed tool calls together, whatever a host does with index and id."""

from onellm.types.chat import ChatCompletionMessageToolCall, ChoiceDeltaToolCall, CustomCall, Function


class _Call:
    __slots__ = ("arguments", "extra_content", "id", "name", "type")

    def __init__(self) -> None:
        self.id = ""
        self.type = ""
        self.name = ""
        self.arguments: list[str] = []
        self.extra_content: dict[str, object] | None = None


class ToolCallAssembler:
    """Folds the deltas of one message's tool calls.

    A delta belongs to the call at its index; without an index to the call of its id; without either to the last
    call. It begins a new call where its id differs from the one held at that index (hosts number parallel calls
    all 0), and where it has neither index nor id but names a function. A repeated id or name adds nothing.
    """

    __slots__ = ("_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, int] = {}

    def add(self, delta: ChoiceDeltaToolCall) -> None:
        """Take one delta in, and set its `index` to the call's place in the message."""
        place = self._place(delta)
        call = self._calls[place]
        delta.index = place
        if delta.id and not call.id:
            call.id = delta.id
        if delta.type:
            call.type = delta.type
        if delta.extra_content is not None:
            call.extra_content = {**(call.extra_content or {}), **delta.extra_content}
        name: str | None = None
        piece: str | None = None
        if delta.function is not None:
            name, piece = delta.function.name, delta.function.arguments
        elif delta.custom is not None:
            call.type = "custom"
            name, piece = delta.custom.name, delta.custom.input
        if name and not call.name:
            call.name = name
        if piece:
            call.arguments.append(piece)

    def calls(self) -> list[ChatCompletionMessageToolCall] | None:
        """The calls so far, in order; None where there are none."""
        return [_whole(call) for call in self._calls] or None

    def _place(self, delta: ChoiceDeltaToolCall) -> int:
        if delta.index >= 0:
            place = self._by_index.get(delta.index)
            if place is None or (delta.id and self._calls[place].id not in ("", delta.id)):
                place = self._by_index[delta.index] = self._of_id(delta.id)
            return place
        if delta.id:
            return self._of_id(delta.id)
        named = delta.function is not None and delta.function.name
        return self._new() if named or not self._calls else len(self._calls) - 1

    def _of_id(self, id_: str | None) -> int:
        for place, call in enumerate(self._calls if id_ else ()):
            if call.id == id_:
                return place
        return self._new()

    def _new(self) -> int:
        self._calls.append(_Call())
        return len(self._calls) - 1


def _whole(call: _Call) -> ChatCompletionMessageToolCall:
    text = "".join(call.arguments)
    if call.type == "custom":
        custom = CustomCall(name=call.name, input=text)
        return ChatCompletionMessageToolCall(id=call.id, type="custom", custom=custom, extra_content=call.extra_content)
    return ChatCompletionMessageToolCall(
        id=call.id,
        type=call.type or "function",
        function=Function(name=call.name, arguments=text),
        extra_content=call.extra_content,
    )
