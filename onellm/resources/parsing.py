"""`chat.completions.parse`: answers of a type."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from onellm.errors import InvalidRequestError, ResponseValidationError
from onellm.resources.streams import AsyncAnswerStream, AsyncChatCompletionStream
from onellm.types.answer_types import AnswerType
from onellm.types.chat import ChatCompletion, ChatCompletionChunk, Choice
from onellm.types.headers import Head, head_of
from onellm.types.parsed import ParsedChatCompletion, parsed_completion

if TYPE_CHECKING:
    from onellm.providers.protocols import AnswerStream

T = TypeVar("T")

Ask: TypeAlias = Callable[[list[Any], dict[str, Any]], Awaitable[ChatCompletion]]
Open: TypeAlias = Callable[[list[Any], dict[str, Any]], Awaitable[AsyncChatCompletionStream]]


class Plan(Generic[T]):
    """How one provider is asked for a type: by its schema where it takes one, else as near to it as it can.

    params:  added to the call
    note:    what stands in for a schema, for `adjustments`; None where the provider takes one
    """

    def __init__(self, kind: AnswerType[T], flags: dict[str, bool], given: dict[str, Any]) -> None:
        self.kind = kind
        self.note: str | None = None
        self.params: dict[str, Any] = {}
        self._in_prompt = True
        self._forced = False
        if flags.get("json_schema_support") and not kind.free:
            self.params["response_format"] = kind.response_format()
            self._in_prompt = False
        elif flags.get("json_mode_support"):
            self.params["response_format"] = {"type": "json_object"}
            why = "JSON mode wants it there" if kind.free else "it takes no schema"
            self.note = f"asked for JSON, with the form of the answer in the prompt: {why}"
        elif flags.get("function_calling_support") and not kind.free and not given.get("tools"):
            function = {"name": kind.name, "description": "Give the answer.", "parameters": kind.schema}
            self.params["tools"] = [{"type": "function", "function": function}]
            self.params["tool_choice"] = {"type": "function", "function": {"name": kind.name}}
            self.note = "asked for a tool call in the form of the answer: it takes no schema and has no JSON mode"
            self._in_prompt = False
            self._forced = True
        else:
            self.note = "put the form of the answer into the prompt: it has no JSON mode"

    def messages(self, given: list[Any]) -> list[Any]:
        """The conversation, with what the model must be told. Systems that are there stay first."""
        if not self._in_prompt:
            return given
        place = 0
        while place < len(given) and _role(given[place]) in ("system", "developer"):
            place += 1
        return [*given[:place], {"role": "system", "content": self.kind.instruction()}, *given[place:]]

    def settle(self, reply: ChatCompletion) -> ChatCompletion:
        """The answer as it would have been without a stand-in: a forced call is its content."""
        if self.note is not None and self.note not in reply.adjustments:
            reply.adjustments = (*reply.adjustments, self.note)
        for choice in reply.choices if self._forced else ():
            message = choice.message
            if message.tool_calls:
                message.content = message.tool_calls[0].function.arguments
                message.tool_calls = None
                message.provider_data = None  # it holds the call, which has no result to go back with
                if choice.finish_reason == "tool_calls":
                    choice.finish_reason = "stop"
        return reply

    def read(self, choice: Choice) -> T | None:
        """What a choice says, as a value; None where the model refused, was filtered, or calls the caller's tools.

        Raises:
            ResponseValidationError: it does not fit.
        """
        message = choice.message
        if message.refusal or message.tool_calls or choice.finish_reason == "content_filter":
            return None
        try:
            return self.kind.read(message.content or "", unfence=self.note is not None)
        except ResponseValidationError as exc:
            if choice.finish_reason == "length":
                exc.message += "; it was cut off at the limit of its length: give more max_tokens"
                exc.args = (exc.message,)
            raise

    def piece(self, chunk: ChatCompletionChunk) -> str:
        """What a chunk adds to the first choice's text."""
        for choice in chunk.choices:
            if choice.index == 0:
                if self._forced and choice.delta.tool_calls:
                    functions = [call.function for call in choice.delta.tool_calls if call.index == 0]
                    return "".join(function.arguments or "" for function in functions if function)
                return choice.delta.content or ""
        return ""

    def partial(self, text: str) -> Any:
        """What a text has come to."""
        return self.kind.read_partial(text, unfence=self.note is not None)

    def parsed(self, reply: ChatCompletion) -> ParsedChatCompletion[T]:
        """The answer with its values.

        Raises:
            ResponseValidationError: one of the choices does not fit.
        """
        try:
            return parsed_completion(reply, [self.read(choice) for choice in reply.choices])
        except ResponseValidationError as exc:
            exc.provider, exc.model, exc.request_id = reply.provider, reply.model, reply.request_id
            raise

    def told(self, reply: ChatCompletion, misfit: ResponseValidationError) -> list[Any]:
        """What shows the model its error: the first answer that does not fit, if there are words in it, and why."""
        wrong = next(choice.message for choice in reply.choices if not self._fits(choice))
        again = f"{misfit.message}. Give the whole answer again, in the form that was asked for."
        return [*([wrong] if wrong.content else []), {"role": "user", "content": again}]

    def _fits(self, choice: Choice) -> bool:
        try:
            self.read(choice)
        except ResponseValidationError:
            return False
        return True


async def parse(
    plan: Plan[T], ask: Ask, messages: list[Any], given: dict[str, Any], retries_on_invalid: int
) -> ParsedChatCompletion[T]:
    """Ask until the answer fits, or as often as it may; the model is shown what did not."""
    if retries_on_invalid < 0:
        raise InvalidRequestError("retries_on_invalid: give a number from 0", param="retries_on_invalid")
    params = given | plan.params
    history = plan.messages(messages)
    spent: list[ChatCompletion] = []
    while True:
        reply = plan.settle(await ask(history, params))
        spent.append(reply)
        try:
            found = plan.parsed(reply)
        except ResponseValidationError as exc:
            if len(spent) > retries_on_invalid:
                raise
            history = [*history, *plan.told(reply, exc)]
        else:
            if len(spent) > 1:
                _count(found, spent)
            return found


def _count(found: ParsedChatCompletion[T], spent: list[ChatCompletion]) -> None:
    """The tokens of all answers, and how many there were."""
    used = [reply.usage for reply in spent if reply.usage is not None]
    if used:
        found.usage = sum(used[1:], used[0])
    again = len(spent) - 1
    found.adjustments = (*found.adjustments, f"asked again {again} time{'s' * (again > 1)}: an answer did not fit")


async def open_parsed(
    plan: Plan[T], open_stream: Open, messages: list[Any], given: dict[str, Any]
) -> "AsyncParsedChatCompletionStream[T]":
    """The same as a stream."""
    stream = await open_stream(plan.messages(messages), given | plan.params)
    return AsyncParsedChatCompletionStream(ParsedSource(plan, stream.handed_over()))


class ParsedSource(Generic[T]):
    """A stream's source whose whole answer is read as a type."""

    def __init__(self, plan: Plan[T], source: "AnswerStream[ChatCompletionChunk, ChatCompletion]") -> None:
        self._plan = plan
        self._source = source
        self._pieces: list[str] = []

    @property
    def request_id(self) -> str | None:
        return self._source.request_id

    @property
    def head(self) -> Head | None:
        return head_of(self._source)

    async def read(self) -> Sequence[ChatCompletionChunk]:
        chunks = await self._source.read()
        self._pieces.extend(map(self._plan.piece, chunks))
        return chunks

    def partial(self) -> Any:
        self._pieces = ["".join(self._pieces)]
        return self._plan.partial(self._pieces[0])

    def final(self) -> ParsedChatCompletion[T]:
        return self._plan.parsed(self._plan.settle(self._source.final()))

    def close(self) -> None:
        self._source.close()


class AsyncParsedChatCompletionStream(AsyncAnswerStream[ChatCompletionChunk, ParsedChatCompletion[T]], Generic[T]):
    """A streamed answer of a type: chunks with `async for`, `partial()` while it grows, the value at the end."""

    def __init__(self, source: ParsedSource[T]) -> None:
        super().__init__(source)
        self._parsed = source

    def partial(self) -> Any:
        """What has come so far, as plain dicts and lists, with what is open closed; None before anything is there.

        It may be ahead of the chunks that were handed out: those of one network read come together.
        """
        return self._parsed.partial()

    async def get_final_completion(self) -> ParsedChatCompletion[T]:
        """The whole answer with its value; reads what has not been read.

        Raises:
            StreamInterruptedError: the stream ended, or was closed, before its terminal event.
            ResponseValidationError: the answer does not fit.
        """
        return await self.get_final()


def _role(message: object) -> object:
    if isinstance(message, Mapping):
        return cast("Mapping[str, object]", message).get("role")
    return getattr(message, "role", None)
