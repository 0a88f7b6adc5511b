"""What a host answers, by the dialect it speaks: a row of the registry is tested with the bytes of its dialect's class.

A new dialect adds its module and its line in `WIRES`; a new row adds nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from loopback import Answer, Loopback, Recorded

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.anthropic.models import AnthropicModels
from onellm.dialects.base import HttpRequest
from onellm.dialects.bedrock.converse import Converse
from onellm.dialects.bedrock.invoke import InvokeEmbeddings
from onellm.dialects.bedrock.models import FoundationModels
from onellm.dialects.cohere.chat import CohereChat
from onellm.dialects.cohere.embeddings import CohereEmbeddings
from onellm.dialects.cohere.models import CohereModels
from onellm.dialects.gemini.chat import GeminiChat
from onellm.dialects.gemini.embeddings import GeminiEmbeddings, PublisherEmbeddings
from onellm.dialects.gemini.models import GeminiModels, PublisherModels
from onellm.dialects.huggingface.tasks import FeatureExtraction
from onellm.dialects.ollama.chat import OllamaChat
from onellm.dialects.ollama.embeddings import OllamaEmbeddings
from onellm.dialects.ollama.models import OllamaModels
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.dialects.openai.models import OpenAIModels
from onellm.errors import InternalServerError, OneLLMError
from onellm.providers.replicate import ReplicateProvider
from wire import bedrock, chat_completions, cohere, gemini, messages, ollama, replicate, tasks


@dataclass(frozen=True, kw_only=True)
class ChatWire:
    """Chat over one wire format.

    question, text:    what is asked, and what `answer` and `stream` say
    answer, stream:    one answer, whole and in events; each event is the bytes of one write
    tool_answer, tool_stream:  the same for an answer with tool calls
    stream_type:       the stream's Content-Type
    unknown_event:     one that is not documented, between two others
    overloaded_event:  the announcement, inside a stream, of what would have been a 503
    refusal:           the body of an error status: of its message and its code
    check_body:        asserts what a request's body must hold: the body, the model, stream=whether it streams
    has_codes:         whether the body of an error status has a code
    talk:              how a call goes that is more than one request; None where it is one
    """

    question: str
    text: str
    answer: bytes
    stream: Sequence[bytes]
    tool_answer: bytes
    tool_stream: Sequence[bytes]
    stream_type: str
    unknown_event: bytes
    overloaded_event: bytes
    refusal: Callable[[str, str], bytes]
    check_body: Callable[..., None]
    has_codes: bool = True
    talk: "Talk | None" = None


@dataclass(frozen=True, kw_only=True)
class Talk:
    """How a call goes that is a conversation of several requests.

    path:          where the request goes that an answer is of, for a model
    plays:         has the server play these answers, each in a conversation
    asked:         of all requests, those that the answers were of
    streamed:      the request whose answer is the first stream
    stream_error:  what an error inside a stream is; it says that the call has failed and is not to be made again
    """

    path: Callable[[str], str]
    plays: Callable[[Loopback, Sequence[Answer]], None]
    asked: Callable[[Loopback], list[Recorded]]
    streamed: Callable[[Loopback], Recorded]
    stream_error: type[OneLLMError]


@dataclass(frozen=True, kw_only=True)
class EmbeddingsWire:
    """Embeddings over one wire format. answer gives a body of `vectors`, in their order; model is one that it knows."""

    model: str = "vendor/model-1"
    vectors: Sequence[Sequence[float]]
    answer: Callable[[Sequence[Sequence[float]]], bytes]
    check_body: Callable[[Any, str, Sequence[str]], None]


@dataclass(frozen=True, kw_only=True)
class ModelsWire:
    """The list of models over one wire format. listing and single are of the ids in `ids`.

    requests:  those for the list and for the first of the ids, where no dialect of the provider says so
    """

    ids: Sequence[str]
    listing: Callable[[str], bytes]
    single: Callable[[str], bytes]
    requests: Sequence[HttpRequest] = ()


WIRES: dict[type, Any] = {
    OpenAIChat: ChatWire(
        question=chat_completions.QUESTION,
        text=chat_completions.TEXT,
        answer=chat_completions.ANSWER,
        stream=chat_completions.STREAM,
        tool_answer=chat_completions.TOOL_ANSWER,
        tool_stream=chat_completions.TOOL_STREAM,
        stream_type="text/event-stream",
        unknown_event=chat_completions.UNKNOWN_EVENT,
        overloaded_event=chat_completions.OVERLOADED_EVENT,
        refusal=chat_completions.refusal,
        check_body=chat_completions.check_chat_body,
    ),
    OpenAIEmbeddings: EmbeddingsWire(
        vectors=chat_completions.VECTORS,
        answer=chat_completions.embeddings,
        check_body=chat_completions.check_embeddings_body,
    ),
    OpenAIModels: ModelsWire(
        ids=chat_completions.MODEL_IDS, listing=chat_completions.models, single=chat_completions.model
    ),
    Converse: ChatWire(
        question=bedrock.QUESTION,
        text=bedrock.TEXT,
        answer=bedrock.ANSWER,
        stream=bedrock.STREAM,
        tool_answer=bedrock.TOOL_ANSWER,
        tool_stream=bedrock.TOOL_STREAM,
        stream_type=bedrock.STREAM_TYPE,
        unknown_event=bedrock.UNKNOWN_EVENT,
        overloaded_event=bedrock.OVERLOADED_EVENT,
        refusal=bedrock.refusal,
        check_body=bedrock.check_chat_body,
    ),
    InvokeEmbeddings: EmbeddingsWire(
        model=bedrock.EMBEDDING_MODEL,
        vectors=bedrock.VECTORS,
        answer=bedrock.embeddings,
        check_body=bedrock.check_embeddings_body,
    ),
    FoundationModels: ModelsWire(ids=bedrock.MODEL_IDS, listing=bedrock.models, single=bedrock.model),
    GeminiChat: ChatWire(
        question=gemini.QUESTION,
        text=gemini.TEXT,
        answer=gemini.ANSWER,
        stream=gemini.STREAM,
        tool_answer=gemini.TOOL_ANSWER,
        tool_stream=gemini.TOOL_STREAM,
        stream_type="text/event-stream",
        unknown_event=gemini.UNKNOWN_EVENT,
        overloaded_event=gemini.OVERLOADED_EVENT,
        refusal=gemini.refusal,
        check_body=gemini.check_chat_body,
    ),
    GeminiEmbeddings: EmbeddingsWire(
        vectors=gemini.VECTORS, answer=gemini.embeddings, check_body=gemini.check_embeddings_body
    ),
    PublisherEmbeddings: EmbeddingsWire(
        vectors=gemini.VECTORS, answer=gemini.predictions, check_body=gemini.check_predictions_body
    ),
    GeminiModels: ModelsWire(ids=gemini.MODEL_IDS, listing=gemini.models, single=gemini.model),
    PublisherModels: ModelsWire(ids=gemini.MODEL_IDS, listing=gemini.publisher_models, single=gemini.publisher_model),
    AnthropicMessages: ChatWire(
        question=chat_completions.QUESTION,
        text=chat_completions.TEXT,
        answer=messages.ANSWER,
        stream=messages.STREAM,
        tool_answer=messages.TOOL_ANSWER,
        tool_stream=messages.TOOL_STREAM,
        stream_type="text/event-stream",
        unknown_event=messages.UNKNOWN_EVENT,
        overloaded_event=messages.OVERLOADED_EVENT,
        refusal=messages.refusal,
        check_body=messages.check_body,
    ),
    AnthropicModels: ModelsWire(ids=messages.MODEL_IDS, listing=messages.models, single=messages.model),
    CohereChat: ChatWire(
        question=cohere.QUESTION,
        text=cohere.TEXT,
        answer=cohere.ANSWER,
        stream=cohere.STREAM,
        tool_answer=cohere.TOOL_ANSWER,
        tool_stream=cohere.TOOL_STREAM,
        stream_type="text/event-stream",
        unknown_event=cohere.UNKNOWN_EVENT,
        overloaded_event=cohere.OVERLOADED_EVENT,
        refusal=cohere.refusal,
        check_body=cohere.check_chat_body,
        has_codes=False,
    ),
    CohereEmbeddings: EmbeddingsWire(
        vectors=cohere.VECTORS, answer=cohere.embeddings, check_body=cohere.check_embeddings_body
    ),
    FeatureExtraction: EmbeddingsWire(
        vectors=tasks.VECTORS, answer=tasks.embeddings, check_body=tasks.check_embeddings_body
    ),
    CohereModels: ModelsWire(ids=cohere.MODEL_IDS, listing=cohere.models, single=cohere.model),
    OllamaChat: ChatWire(
        question=ollama.QUESTION,
        text=ollama.TEXT,
        answer=ollama.ANSWER,
        stream=ollama.STREAM,
        tool_answer=ollama.TOOL_ANSWER,
        tool_stream=ollama.TOOL_STREAM,
        stream_type=ollama.STREAM_TYPE,
        unknown_event=ollama.UNKNOWN_EVENT,
        overloaded_event=ollama.OVERLOADED_EVENT,
        refusal=ollama.refusal,
        check_body=ollama.check_chat_body,
        has_codes=False,
    ),
    OllamaEmbeddings: EmbeddingsWire(
        vectors=ollama.VECTORS, answer=ollama.embeddings, check_body=ollama.check_embeddings_body
    ),
    OllamaModels: ModelsWire(ids=ollama.MODEL_IDS, listing=ollama.models, single=ollama.model),
}


# Providers without dialects of their own in the registry, by their class: the bytes for each operation.
PROVIDERS: dict[type, dict[str, Any]] = {
    ReplicateProvider: {
        "chat": ChatWire(
            question=replicate.QUESTION,
            text=replicate.TEXT,
            answer=replicate.ANSWER,
            stream=replicate.STREAM,
            tool_answer=b"",
            tool_stream=(),
            stream_type="text/event-stream",
            unknown_event=replicate.UNKNOWN_EVENT,
            overloaded_event=replicate.FAILED_EVENT,
            refusal=replicate.refusal,
            check_body=replicate.check_chat_body,
            has_codes=False,
            talk=Talk(
                path=replicate.path,
                plays=replicate.plays,
                asked=replicate.asked,
                streamed=replicate.streamed,
                stream_error=InternalServerError,
            ),
        ),
        "models": ModelsWire(
            ids=replicate.MODEL_IDS,
            listing=replicate.models,
            single=replicate.model,
            requests=[
                HttpRequest(method="GET", path="v1/models"),
                HttpRequest(method="GET", path=f"v1/models/{replicate.MODEL_IDS[0]}"),
            ],
        ),
    }
}


def wire_of(provider: object, operation: str) -> Any:
    """The bytes for an operation of a provider: of its dialect, or of its own class."""
    own = PROVIDERS.get(type(provider))
    return wire(getattr(provider, operation)) if own is None else own[operation]


def wire(dialect: object) -> Any:
    """The bytes for a dialect: those of its class, or of the nearest class above it that has some."""
    for cls in type(dialect).__mro__:
        if cls in WIRES:
            return WIRES[cls]
    raise LookupError(f"tests/wire has no bytes for {type(dialect).__name__}: add its module and its line in WIRES")
