"""Real answers of Mistral beside chat, read again: speech, transcriptions, batches, files and its models.

Chats, embeddings and errors are read with all other rows', the document with the other operations.
"""

import base64
import json
from collections import Counter
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.base import CapabilityDialect
from onellm.providers.compatible import ROWS
from onellm.types.audio import SpeechRequest, TranscriptionDiarized, TranscriptionRequest
from onellm.types.files import InputFile

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ROW = ROWS["mistral"]
ALL = [exchange for exchange in exchanges() if exchange.provider == "mistral"]


def of(kind: str) -> pytest.MarkDecorator:
    found = [exchange for exchange in ALL if exchange.kind == kind]
    return pytest.mark.parametrize("exchange", found, ids=[exchange.id for exchange in found])


def test_the_recordings_are_all_here() -> None:
    """110, of which the 13 that are read here are all that are not read elsewhere."""
    counts = Counter("ocr" if urlsplit(e.url).path.endswith("/ocr") else e.kind for e in ALL)
    read_here = sum(counts[kind] for kind in ("audio_speech", "audio_transcription", "batch", "files"))
    assert (sum(counts.values()), read_here, counts["ocr"], counts["models"]) == (110, 13, 1, 3), counts
    assert counts["chat"] + counts["chat_stream"] == 76
    assert (counts["embeddings"], counts["error"]) == (11, 6)


@of("audio_speech")
def test_speech_is_the_audio_in_the_answer(exchange: Exchange) -> None:
    assert ROW.speech is not None
    request = SpeechRequest(provider="mistral", model="m", input="Hi", voice="v", params={})
    audio = ROW.speech.decode_audio(exchange.body, request)
    assert audio == base64.b64decode(json.loads(exchange.body)["audio_data"])
    assert audio.startswith(b"ID3")


@of("audio_transcription")
@pytest.mark.parametrize("form", [None, "verbose_json", "diarized_json"])
def test_transcription_says_what_it_says(exchange: Exchange, form: str | None) -> None:
    """In each form that it can be read as; who spoke is kept."""
    assert ROW.transcriptions is not None
    file = InputFile(filename="a.mp3", content_type="audio/mpeg", source=b"")
    request = TranscriptionRequest(provider="mistral", model="m", file=file, format=form, params={})  # type: ignore[arg-type] # a text here
    reply = ROW.transcriptions.decode_response(exchange.body, request)
    said = json.loads(exchange.body)
    assert reply.text == said["text"]
    assert reply.usage is not None
    assert reply.usage.input_tokens == said["usage"]["prompt_tokens"]
    assert reply.usage.seconds == said["usage"]["prompt_audio_seconds"]
    if isinstance(reply, TranscriptionDiarized):
        assert [(s.text, s.start, s.end, s.speaker) for s in reply.segments] == [
            (s["text"], s["start"], s["end"], s.get("speaker_id") or "") for s in said["segments"]
        ]


@of("batch")
def test_batch_says_how_far_it_is(exchange: Exchange) -> None:
    assert ROW.batches is not None
    batch = ROW.batches.decode_batch(exchange.body)
    said = json.loads(exchange.body)
    assert (batch.id, batch.status_raw, batch.model) == (said["id"], said["status"], said["model"])
    assert batch.status == {"QUEUED": "validating", "SUCCESS": "completed"}[said["status"]]
    assert batch.output_file_id == said["output_file"]
    assert batch.request_counts is not None
    assert batch.request_counts.total == said["total_requests"]


@of("files")
def test_file_says_what_it_is(exchange: Exchange) -> None:
    assert ROW.files is not None
    file = ROW.files.decode_file(exchange.body)
    assert (file.filename, file.purpose, file.bytes) == ("sample.pdf", "ocr", 18810)
    assert (file.model_extra["mimetype"], file.model_extra["signature"]) == (
        "application/pdf",
        "da49bbe37855af62a6a8809453d17b83",
    )


@of("models")
def test_models_keep_what_they_can_do(exchange: Exchange) -> None:
    assert ROW.models is not None
    models = ROW.models.decode_list(exchange.body)
    said = json.loads(exchange.body)["data"]
    assert [model.model_extra["capabilities"] for model in models] == [item["capabilities"] for item in said]
    assert all(model.model_extra["capabilities"].keys() >= {"completion_chat", "vision", "ocr"} for model in models)


@of("models")
def test_a_models_card_is_read_as_what_it_can_do(exchange: Exchange) -> None:
    """Every card of the lists, as `models.capabilities` asks for it: by itself. What it does not say is not known."""
    assert isinstance(ROW.models, CapabilityDialect)
    cards = json.loads(exchange.body)["data"]
    assert len(cards) > 20
    for card in cards:
        found = ROW.models.decode_capabilities(json.dumps(card).encode(), card["id"])
        assert found is not None
        said = card["capabilities"]
        assert (found.chat, found.tools, found.vision, found.audio_input, found.reasoning) == (
            said["completion_chat"],
            said["function_calling"],
            said["vision"],
            said.get("audio"),
            said.get("reasoning"),
        )
        assert found.context_window == card["max_context_length"]
        assert (found.json_schema, found.embeddings) == (None, None)
