"""Text generation by the server's own routes, which older servers have in place of OpenAI's.

https://huggingface.co/docs/text-generation-inference/reference/api_reference
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.huggingface.tasks import encode_task
from onellm.dialects.lenient import DECODE_ERRORS
from onellm.dialects.openai.completions import OpenAICompletions
from onellm.dialects.params import refuse, rename
from onellm.dialects.sse_reducer import SseReducer, interrupted
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.transport.sse import SseDecoder
from onellm.types.chat import CompletionUsage, FinishReason
from onellm.types.completions import Completion, CompletionChoice, CompletionRequest

if TYPE_CHECKING:
    from onellm.dialects.protocols import Reducer

FINISH: dict[str, FinishReason] = {"length": "length", "eos_token": "stop", "stop_sequence": "stop"}
_LACKS = "its own route does not have it"
_REFUSES: dict[str, str] = dict.fromkeys(
    ("logit_bias", "logprobs", "n", "presence_penalty", "stream_options", "suffix", "user"), _LACKS
)
_RENAMES = {"max_tokens": "max_new_tokens", "echo": "return_full_text"}
_WHAT = "generated text"


class _Token(Struct, gc=False):
    text: str = ""
    special: bool = False


class _Details(Struct, gc=False):
    finish_reason: str | None = None
    generated_tokens: int | None = None
    input_length: int | None = None
    prefill: list[Any] | None = None


class _Answer(Struct, gc=False):
    """A whole answer, or an event of a stream."""

    generated_text: str | None = None
    token: _Token | None = None
    details: _Details | None = None


_decode: Callable[[bytes], _Answer | list[_Answer]]
_decode = msgspec.json.Decoder(_Answer | list[_Answer], strict=False).decode


class Generate(OpenAICompletions, frozen=True, kw_only=True):
    """Text as `inputs`, arguments as `parameters`. One text a call.

    path, stream_path:  of a whole answer, and of a streamed one
    """

    path: str = "generate"
    stream_path: str = "generate_stream"
    one_prompt: bool = True

    def encode_request(self, request: CompletionRequest) -> HttpRequest:
        return self._generate(request, self.path)

    def encode_stream(self, request: CompletionRequest) -> HttpRequest:
        return self._generate(request, self.stream_path)

    def _generate(self, request: CompletionRequest, path: str) -> HttpRequest:
        params = dict(request.params)
        if isinstance(stop := params.get("stop"), str):
            params["stop"] = [stop]
        refuse(params, _REFUSES, request)
        rename(params, _RENAMES, request)
        if params.get("temperature") == 0:
            del params["temperature"]
            params["do_sample"] = False
            request.adjustments.append("sent temperature=0 as do_sample=False: it takes numbers above 0")
        return encode_task(path, "", request, self._one(request), {**params, "details": True})

    def decode_response(self, body: bytes, request: CompletionRequest) -> Completion:
        answer = _read(body, self.codes)
        if answer.generated_text is None:
            raise ResponseDecodeError("not generated text: it has none", body=body)
        return _completion(request, answer.generated_text, answer.details, body)

    def reducer(self, request: CompletionRequest, *, max_event_bytes: int) -> "Reducer[Completion, Completion]":
        return _GenerateReducer(self.codes, request, SseDecoder(max_event_bytes=max_event_bytes))


class _GenerateReducer(SseReducer[Completion]):
    """Folds tokens; the one with the whole text is the last."""

    def __init__(
        self, codes: Mapping[str, type[APIStatusError]], request: CompletionRequest, decoder: SseDecoder
    ) -> None:
        super().__init__(codes, decoder)
        self._request = request
        self._pieces: list[str] = []
        self._details: _Details | None = None

    def feed_chunk(self, data: bytes, emit: Callable[[Completion], object]) -> None:
        event = _read(data, self._codes)
        piece = event.token.text if event.token is not None and not event.token.special else ""
        self._pieces.append(piece)
        self.finished = event.generated_text is not None
        if self.finished:
            self._details = event.details
        if piece or self.finished:
            emit(_completion(self._request, piece, self._details, data))

    def close(self) -> Completion:
        self._settle()
        if not self.finished:
            raise interrupted(self._request)
        return _completion(self._request, "".join(self._pieces), self._details, b"")


def _read(data: bytes, codes: Mapping[str, type[APIStatusError]]) -> _Answer:
    """An answer or an event.

    Raises:
        APIStatusError: it is an error.
        ResponseDecodeError: it is neither.
    """
    if b'"error"' in data and errors.is_error(lenient.decode_json(data, _WHAT)):
        raise errors.decode_error(200, {}, data, now=0.0, codes=codes)
    try:
        found = _decode(data)
    except DECODE_ERRORS as exc:
        raise ResponseDecodeError(f"not {_WHAT}: {exc}", body=data) from exc
    if isinstance(found, list):
        return found[0] if found else _Answer()
    return found


def _completion(request: CompletionRequest, text: str, details: _Details | None, raw: bytes) -> Completion:
    end = details.finish_reason if details is not None else None
    choice = CompletionChoice(text=text, finish_reason_raw=end, finish_reason=FINISH.get(end, "other") if end else None)
    return Completion(model=request.model, choices=[choice], usage=_usage(details), raw=raw)


def _usage(details: _Details | None) -> CompletionUsage | None:
    """Tokens; None where the server does not count those of the prompt, as in whole answers unless asked to."""
    if details is None or details.generated_tokens is None:
        return None
    prompt = details.input_length if details.prefill is None or not details.prefill else len(details.prefill)
    if prompt is None:
        return None
    written = details.generated_tokens
    return CompletionUsage(prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written)
