"""What the methods of providers are called by callers, and what may be done with a call of them."""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct


class Operation(Struct, frozen=True, kw_only=True):
    """What a call is.

    name:     as callers call it: "chat.completions.create"
    method:   the provider's that serves it
    served:   which operation of providers it belongs to; "" where to none
    answers:  "whole", as "events" of an `AnswerStream`, or as the "bytes" of a `Binary`
    moves:    whether another model, of another provider even, may serve the same call
    """

    name: str
    method: str
    served: str = ""
    answers: Literal["whole", "events", "bytes"] = "whole"
    moves: bool = False


def operation_of(method: Callable[..., Any]) -> Operation:
    """What a provider's method is for."""
    name = getattr(method, "__name__", type(method).__name__)
    return OPERATIONS.get(name) or Operation(name=name, method=name)


def _rows() -> list[Operation]:
    def whole(name: str, method: str, served: str, *, moves: bool = True) -> Operation:
        return Operation(name=name, method=method, served=served, moves=moves)

    def events(name: str, method: str, served: str, *, moves: bool = True) -> Operation:
        return Operation(name=name, method=method, served=served, answers="events", moves=moves)

    return [
        whole("chat.completions.create", "create_chat_completion", "chat"),
        events("chat.completions.create", "stream_chat_completion", "chat"),
        whole("chat.completions.count_tokens", "count_tokens", "token_counts", moves=False),
        whole("completions.create", "create_completion", "completions"),
        events("completions.create", "stream_completion", "completions"),
        whole("responses.create", "create_response", "responses"),
        events("responses.create", "stream_response", "responses"),
        whole("responses.retrieve", "retrieve_response", "responses", moves=False),
        events("responses.retrieve", "restream_response", "responses", moves=False),
        whole("responses.delete", "delete_response", "responses", moves=False),
        whole("responses.cancel", "cancel_response", "responses", moves=False),
        whole("responses.input_items.list", "list_response_items", "responses", moves=False),
        whole("responses.input_tokens.count", "count_input_tokens", "responses", moves=False),
        whole("audio.transcriptions.create", "create_transcription", "transcriptions"),
        events("audio.transcriptions.create", "stream_transcription", "transcriptions"),
        whole("audio.translations.create", "create_translation", "translations"),
        Operation(name="audio.speech.create", method="create_speech", served="speech", answers="bytes", moves=True),
        events("audio.speech.create", "stream_speech", "speech"),
        whole("images.generate", "generate_images", "images"),
        events("images.generate", "stream_images", "images"),
        whole("images.edit", "edit_images", "image_edits"),
        events("images.edit", "stream_image_edits", "image_edits"),
        whole("images.create_variation", "vary_image", "image_variations"),
        whole("embeddings.create", "create_embeddings", "embeddings"),
        whole("rerank.create", "create_rerank", "rerank"),
        whole("ocr.create", "create_ocr", "ocr"),
        whole("moderations.create", "create_moderation", "moderations"),
        whole("models.list", "list_models", "models", moves=False),
        whole("models.retrieve", "retrieve_model", "models", moves=False),
        whole("models.capabilities", "published_capabilities", "", moves=False),
        events("models.pull", "pull_model", "model_store", moves=False),
        whole("models.delete", "delete_model", "model_store", moves=False),
        whole("files.create", "create_file", "files", moves=False),
        whole("files.list", "list_files", "files", moves=False),
        whole("files.retrieve", "retrieve_file", "files", moves=False),
        Operation(name="files.content", method="open_file", served="files", answers="bytes"),
        whole("files.delete", "delete_file", "files", moves=False),
        whole("files.signed_url", "create_file_url", "file_urls", moves=False),
        whole("files.create", "create_upload", "uploads", moves=False),
        whole("files.create", "add_upload_part", "uploads", moves=False),
        whole("files.create", "complete_upload", "uploads", moves=False),
        whole("batches.create", "create_batch", "batches", moves=False),
        whole("batches.list", "list_batches", "batches", moves=False),
        whole("batches.retrieve", "retrieve_batch", "batches", moves=False),
        whole("batches.cancel", "cancel_batch", "batches", moves=False),
        whole("realtime.create_token", "create_realtime_token", "realtime_tokens", moves=False),
        Operation(name="batches.results", method="open_batch_results", served="batches", answers="bytes"),
    ]


OPERATIONS = {row.method: row for row in _rows()}
