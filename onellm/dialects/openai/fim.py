"""Fill-in-the-middle that is asked for like a text completion and answered like a chat."""

from typing import TYPE_CHECKING

from msgspec import field

from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.chat_stream import ChatStreamReducer
from onellm.dialects.openai.completions import OpenAICompletions
from onellm.errors import OneLLMError
from onellm.transport.sse import SseDecoder
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.completions import Completion, CompletionChoice, CompletionRequest

if TYPE_CHECKING:
    from onellm.dialects.protocols import Reducer


class ChatShapedCompletions(OpenAICompletions, frozen=True, kw_only=True):
    """Text completions whose answers and chunks are those of a chat. `chat` is how that chat is read."""

    chat: OpenAIChat = field(default_factory=OpenAIChat)

    def decode_response(self, body: bytes, request: CompletionRequest) -> Completion:
        return _whole(self.chat.decode_response(body, _as_chat(request)))

    def reducer(self, request: CompletionRequest, *, max_event_bytes: int) -> "Reducer[Completion, Completion]":
        return _Reducer(ChatStreamReducer(self.chat, _as_chat(request), SseDecoder(max_event_bytes=max_event_bytes)))


class _Reducer:
    """Folds a stream of chat chunks; each is shown as the text it adds."""

    def __init__(self, chat: ChatStreamReducer) -> None:
        self._chat = chat

    @property
    def error(self) -> OneLLMError | None:
        return self._chat.error

    @property
    def finished(self) -> bool:
        return self._chat.finished

    def feed(self, data: bytes) -> list[Completion]:
        return [_chunk(chunk) for chunk in self._chat.feed(data)]

    def close(self) -> Completion:
        return _whole(self._chat.close())


def _as_chat(request: CompletionRequest) -> ChatRequest:
    """Who asked, for the chat's reading; it is not sent."""
    return ChatRequest(provider=request.provider, model=request.model, messages=[], params=request.params)


def _whole(reply: ChatCompletion) -> Completion:
    return Completion(
        id=reply.id,
        created=reply.created,
        model=reply.model,
        choices=[
            CompletionChoice(
                index=choice.index,
                text=choice.message.content or "",
                finish_reason=choice.finish_reason,
                finish_reason_raw=choice.finish_reason_raw,
            )
            for choice in reply.choices
        ],
        usage=reply.usage,
        system_fingerprint=reply.system_fingerprint,
        raw=reply.raw,
    )


def _chunk(chunk: ChatCompletionChunk) -> Completion:
    return Completion(
        id=chunk.id,
        created=chunk.created,
        model=chunk.model,
        choices=[
            CompletionChoice(
                index=choice.index,
                text=choice.delta.content or "",
                finish_reason=choice.finish_reason,
                finish_reason_raw=choice.finish_reason_raw,
            )
            for choice in chunk.choices
        ],
        usage=chunk.usage,
        system_fingerprint=chunk.system_fingerprint,
        raw=chunk.raw,
    )
