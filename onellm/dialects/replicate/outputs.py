"""What a run gave, as the answer of the call: text joined, files where they stand.

https://replicate.com/docs/topics/predictions/streaming
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Outputs are JSON of any shape, taken apart by patterns that prove what they use.

from datetime import datetime
from typing import Any

import msgspec

from onellm.dialects.chat_fold import ChoiceFold
from onellm.dialects.replicate.predictions import Prediction, Predictions
from onellm.dialects.sse_reducer import interrupted
from onellm.errors import OneLLMError, ResponseDecodeError
from onellm.transport.sse import EventTooLargeError, SseDecoder
from onellm.types.audio import (
    AnyTranscription,
    Transcription,
    TranscriptionRequest,
    TranscriptionSegment,
    TranscriptionVerbose,
)
from onellm.types.chat import ChatCompletion, ChatCompletionChunk, ChoiceDelta, ChunkChoice, CompletionUsage
from onellm.types.chat_params import ChatRequest

_TEXT = ("text", "transcription", "transcript", "output", "response")


def text_of(prediction: Prediction) -> str:
    """The output as one text.

    Raises:
        ResponseDecodeError: it is none.
    """
    match prediction.output:
        case None:
            return ""
        case str() as text:
            return text
        case [*pieces] if all(isinstance(piece, str) for piece in pieces):
            return "".join(pieces)
        case dict() as named if found := next((named[n] for n in _TEXT if isinstance(named.get(n), str)), None):
            return str(found)
        case _:
            raise ResponseDecodeError("the output of the prediction is no text", body=prediction.raw)


def urls_of(prediction: Prediction) -> list[str]:
    """Where the files of the output stand: https or data URLs.

    Raises:
        ResponseDecodeError: it has none.
    """
    found = list(_urls(prediction.output))
    if not found:
        raise ResponseDecodeError("the output of the prediction has no files", body=prediction.raw)
    return found


def _urls(output: Any) -> list[str]:
    match output:
        case str() as url if url.startswith(("https://", "http://", "data:")):
            return [url]
        case [*items]:
            return [url for item in items for url in _urls(item)]
        case dict() as named:
            return [url for item in named.values() for url in _urls(item)]
        case _:
            return []


def decode_chat(prediction: Prediction, request: ChatRequest) -> ChatCompletion:
    """The whole answer of a run that has succeeded."""
    fold = ChoiceFold()
    fold.add(ChunkChoice(delta=ChoiceDelta(content=text_of(prediction))))
    return completion(prediction, request, fold)


def completion(prediction: Prediction, request: ChatRequest, fold: ChoiceFold) -> ChatCompletion:
    fold.add(ending())
    return ChatCompletion(
        id=prediction.id,
        created=created(prediction),
        model=request.model,
        choices=[fold.whole(0)],
        usage=usage(prediction),
    )


def ending() -> ChunkChoice:
    return ChunkChoice(finish_reason="stop", finish_reason_raw="succeeded")


def chunk(prediction: Prediction, request: ChatRequest, choice: ChunkChoice) -> ChatCompletionChunk:
    return ChatCompletionChunk(
        id=prediction.id, created=created(prediction), model=request.model, choices=[choice], raw=b""
    )


def usage(prediction: Prediction) -> CompletionUsage | None:
    """Tokens, which models of language count among their metrics, and others do not."""
    if not {"input_token_count", "output_token_count"} & (prediction.metrics or {}).keys():
        return None
    prompt, written = prediction.count("input_token_count"), prediction.count("output_token_count")
    return CompletionUsage(prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written)


def created(prediction: Prediction) -> int:
    """Unix time; 0 where it is not said."""
    try:
        return int(datetime.fromisoformat(prediction.created_at or "").timestamp())
    except ValueError:
        return 0


def decode_transcription(prediction: Prediction, request: TranscriptionRequest) -> AnyTranscription:
    output = prediction.output
    text = text_of(prediction)
    if request.format != "verbose_json":
        return Transcription(text=text)
    reply = TranscriptionVerbose(text=text, task="transcribe")
    if isinstance(output, dict):
        language = output.get("detected_language") or output.get("language")
        reply.language = language if isinstance(language, str) else ""
        segments = output.get("segments") or output.get("chunks")
        if isinstance(segments, list):
            reply.segments = [_segment(item) for item in segments if isinstance(item, dict)]
    return reply


def _segment(item: dict[str, Any]) -> TranscriptionSegment:
    match item:
        case {"timestamp": [start, end]}:
            pass
        case _:
            start, end = item.get("start"), item.get("end")
    return TranscriptionSegment(
        start=float(start) if isinstance(start, int | float) else 0.0,
        end=float(end) if isinstance(end, int | float) else 0.0,
        text=str(item.get("text") or ""),
    )


class PredictionReducer:
    """Folds the stream of one run. Its end says that no more text comes; the counts stand in the prediction."""

    def __init__(
        self, dialect: Predictions, prediction: Prediction, request: ChatRequest, *, max_event_bytes: int
    ) -> None:
        self.error: OneLLMError | None = None
        self.finished = False
        self._dialect = dialect
        self._prediction = prediction
        self._request = request
        self._decoder = SseDecoder(max_event_bytes=max_event_bytes)
        self._fold = ChoiceFold()

    def feed(self, data: bytes) -> list[ChatCompletionChunk]:
        chunks: list[ChatCompletionChunk] = []
        if self.finished or self.error is not None:
            return chunks
        try:
            for event in self._decoder.feed(data):
                match event.event:
                    case "output":
                        choice = ChunkChoice(delta=ChoiceDelta(content=event.data.decode("utf-8", "replace")))
                        self._fold.add(choice)
                        made = chunk(self._prediction, self._request, choice)
                        made.raw = event.data
                        chunks.append(made)
                    case "error":
                        self.error = self._dialect.run_error(_json(event.data), event.data)
                        break
                    case "done":
                        self._end(event.data)
                        break
                    case _:  # logs, and whatever is added next year
                        pass
            if self._decoder.error is not None and not self.finished:  # not to be waited for
                self.error = ResponseDecodeError(str(self._decoder.error))
        except EventTooLargeError as exc:
            self.error = ResponseDecodeError(str(exc))
        return chunks

    def close(self) -> ChatCompletion:
        if self.error is not None:
            raise self.error
        if not self.finished:
            raise interrupted(self._request)
        return completion(self._prediction, self._request, self._fold)

    def _end(self, data: bytes) -> None:
        match _json(data):
            case {"reason": "canceled"}:
                self.error = self._dialect.canceled("canceled", data)
            case {"reason": "error"}:
                self.error = self._dialect.run_error(None, data)
            case _:
                self.finished = True


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")
