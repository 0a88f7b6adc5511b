"""Text completions of the API. https://docs.ollama.com/api/generate"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import encode_json
from onellm.dialects.ollama.lines import Line, LineReducer, decode_line
from onellm.dialects.ollama.options import take_sampling, with_extra
from onellm.dialects.params import refuse
from onellm.errors import APIStatusError, ResponseDecodeError, UnsupportedParameterError
from onellm.transport.ndjson import NdjsonDecoder
from onellm.types.chat import CompletionUsage, TokenLogprob
from onellm.types.completions import Completion, CompletionChoice, CompletionLogprobs, CompletionRequest

_LACKS = "its API does not have it"
_REFUSES = {
    "best_of": _LACKS,
    "echo": _LACKS,
    "logit_bias": _LACKS,
    "n": "make a call for each answer",
    "user": _LACKS,
}
_LINE, _ANSWER = "a line of a text completion", "a text completion"


class OllamaCompletions(Struct, frozen=True, kw_only=True):
    """Text completions: one text a call, in the model's template unless `extra_body={"raw": True}`.

    path:   joined to the base URL
    codes:  as in chat
    """

    path: str = "api/generate"
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: CompletionRequest) -> HttpRequest:
        return self._encode(request, stream=False)

    def encode_stream(self, request: CompletionRequest) -> HttpRequest:
        return self._encode(request, stream=True)

    def decode_response(self, body: bytes, request: CompletionRequest) -> Completion:
        return CompletionReducer(self.codes, request).fold_whole(body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def reducer(self, request: CompletionRequest, *, max_event_bytes: int) -> "CompletionReducer":
        return CompletionReducer(self.codes, request, NdjsonDecoder(max_event_bytes=max_event_bytes))

    def _encode(self, request: CompletionRequest, *, stream: bool) -> HttpRequest:
        params = dict(request.params)
        refuse(params, _REFUSES, request)
        body: dict[str, Any] = {"model": request.model, "prompt": _prompt(request)}
        if options := take_sampling(params, request):
            body["options"] = options
        if (alternatives := params.pop("logprobs", None)) is not None:
            body["logprobs"] = True
            if alternatives:
                body["top_logprobs"] = alternatives
        if (suffix := params.pop("suffix", None)) is not None:
            body["suffix"] = suffix
        if (stream_options := params.pop("stream_options", None)) and stream_options.get("include_obfuscation"):
            request.unsupported("stream_options.include_obfuscation", _LACKS)
        for name in params:
            request.unsupported(name, _LACKS)
        body["stream"] = stream  # unasked, it streams
        return HttpRequest(path=self.path, body=encode_json(with_extra(body, request.extra_body)))


def _prompt(request: CompletionRequest) -> str:
    match request.prompt:
        case str() as text:
            return text
        case [str() as text]:
            return text
        case None:
            return ""
        case _:
            raise UnsupportedParameterError(
                f"{request.provider} takes one text as prompt: make a call for each text",
                provider=request.provider,
                model=request.model,
                param="prompt",
            )


class CompletionReducer(LineReducer[Completion]):
    """Folds a stream of a text completion."""

    def __init__(
        self,
        codes: Mapping[str, type[APIStatusError]],
        request: CompletionRequest,
        decoder: NdjsonDecoder | None = None,
    ) -> None:
        super().__init__(codes, request, decoder)
        self._pieces: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._created = 0
        self._model = request.model
        self._last = Line()
        self._usage: CompletionUsage | None = None
        self._raw = b""

    def feed_chunk(self, data: bytes, emit: Callable[[Completion], object]) -> None:
        line = decode_line(data, _LINE)
        choice = self._take(line, data)
        if choice is not None:
            emit(Completion(created=self._created, model=self._model, choices=[choice], usage=self._usage, raw=data))

    def close(self) -> Completion:
        self._end()
        choice = CompletionChoice(text="".join(self._pieces), logprobs=_logprobs(self._logprobs))
        _finish(choice, self._last)
        return Completion(created=self._created, model=self._model, choices=[choice], usage=self._usage, raw=self._raw)

    def fold_whole(self, body: bytes) -> Completion:
        """An answer that came whole: one line that says everything."""
        if b'"error"' in body and errors.is_error(lenient.decode_json(body, _ANSWER)):
            raise self._refusal(body)
        line = decode_line(body, _ANSWER)
        if line.response is None or not line.done:
            raise ResponseDecodeError(
                f"not a text completion: it {'has no response' if line.response is None else 'is not done'}",
                body=body[:2000],
            )
        self._take(line, body)
        return self.close()

    def _take(self, line: Line, data: bytes) -> CompletionChoice | None:
        self._created = self._created or line.created
        self._model = line.model or self._model
        self._logprobs += line.logprobs or ()
        if line.response:
            self._pieces.append(line.response)
        elif not line.done and not line.logprobs:
            return None
        choice = CompletionChoice(text=line.response or "", logprobs=_logprobs(line.logprobs or []))
        if line.done:
            _finish(choice, line)
            self._last, self._usage, self._raw = line, line.usage, data
            self.finished = True
        return choice


def _finish(choice: CompletionChoice, line: Line) -> None:
    choice.finish_reason, choice.finish_reason_raw = line.finish, line.done_reason


def _logprobs(tokens: list[TokenLogprob]) -> CompletionLogprobs | None:
    """Lists side by side, as this API's callers expect them."""
    if not tokens:
        return None
    return CompletionLogprobs(
        tokens=[each.token for each in tokens],
        token_logprobs=[each.logprob for each in tokens],
        top_logprobs=[{other.token: other.logprob for other in each.top_logprobs} for each in tokens],
    )
