"""Frames of Live sessions as its server sends them.

Shapes: https://ai.google.dev/api/live; the order of a turn's frames: https://ai.google.dev/gemini-api/docs/live-guide
"""

from base64 import b64encode
from typing import Any

from wire.chat_completions import dump

SETUP_COMPLETE = dump({"setupComplete": {}})
USAGE = {
    "promptTokenCount": 69,
    "responseTokenCount": 176,
    "thoughtsTokenCount": 4,
    "totalTokenCount": 249,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 58}, {"modality": "TEXT", "tokenCount": 11}],
    "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 26}, {"modality": "AUDIO", "tokenCount": 150}],
}
GENERATED = dump({"serverContent": {"generationComplete": True}})
INTERRUPTED = dump({"serverContent": {"interrupted": True}})
TURN_COMPLETE = dump({"serverContent": {"turnComplete": True}, "usageMetadata": USAGE})


def sound(pcm: bytes, rate: int = 24_000) -> bytes:
    part = {"inlineData": {"mimeType": f"audio/pcm;rate={rate}", "data": b64encode(pcm).decode()}}
    return dump({"serverContent": {"modelTurn": {"parts": [part]}}})


def text(*pieces: str) -> bytes:
    return dump({"serverContent": {"modelTurn": {"parts": [{"text": piece} for piece in pieces]}}})


def said(words: str) -> bytes:
    return dump({"serverContent": {"outputTranscription": {"text": words}}})


def heard(words: str, *, finished: bool | None = None) -> bytes:
    transcription: dict[str, Any] = {"text": words} | ({} if finished is None else {"finished": finished})
    return dump({"serverContent": {"inputTranscription": transcription}})


def calls(*made: dict[str, Any]) -> bytes:
    return dump({"toolCall": {"functionCalls": list(made)}})


def handle(value: str) -> bytes:
    return dump({"sessionResumptionUpdate": {"newHandle": value, "resumable": True}})


def go_away(left: str) -> bytes:
    return dump({"goAway": {"timeLeft": left}})
