"""Cohere's own: transcriptions that must know the language."""

from onellm.dialects.base import HttpRequest
from onellm.dialects.openai.audio import OpenAITranscriptions
from onellm.errors import InvalidRequestError, UnsupportedFeatureError
from onellm.types.audio import TranscriptionRequest


class CohereTranscriptions(OpenAITranscriptions, frozen=True, kw_only=True):
    """Needs `language`, and does not stream. https://docs.cohere.com/reference/create-audio-transcription"""

    def encode_request(self, request: TranscriptionRequest) -> HttpRequest:
        if "language" not in request.params and "language" not in (request.extra_body or {}):
            raise InvalidRequestError(
                f'{request.provider} must know the language: give language="en", or what is spoken', param="language"
            )
        return super().encode_request(request)

    def encode_stream(self, request: TranscriptionRequest) -> HttpRequest:
        raise UnsupportedFeatureError(f"{request.provider} does not stream transcriptions", provider=request.provider)
