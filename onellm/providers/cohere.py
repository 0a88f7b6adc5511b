"""Cohere: its own API, v2. https://docs.cohere.com/reference/about"""

from onellm.dialects.base import HttpRequest
from onellm.dialects.cohere.chat import CohereChat
from onellm.dialects.cohere.embeddings import CohereEmbeddings
from onellm.dialects.cohere.models import CohereModels
from onellm.dialects.openai.audio import OpenAITranscriptions
from onellm.dialects.rerank import Rerank
from onellm.errors import APIStatusError, ContentFilterError, InvalidRequestError, OneLLMError, UnsupportedFeatureError
from onellm.providers.answers import locate
from onellm.providers.base import Call
from onellm.providers.http import HttpProvider
from onellm.types.audio import TranscriptionRequest
from onellm.types.models import ModelInfo

# A token of the deny list was asked for, or written; elsewhere a 498 is a busy gateway.
CODES: dict[str, type[APIStatusError]] = {"498": ContentFilterError}
_LACKS = "its API does not have it"


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


class CohereProvider(HttpProvider, frozen=True, kw_only=True):
    """A list of models comes in pages, which are read to the last."""

    async def list_models(self, call: Call) -> list[ModelInfo]:
        dialect = MODELS
        models: list[ModelInfo] = []
        page = ""
        seen: set[str] = set()
        try:
            while page not in seen:
                seen.add(page)
                response = await self._send(dialect, dialect.encode_list(page), call)
                found = dialect.decode_list(response.body)
                self._sign(found, response)
                models += found
                page = dialect.next_page(response.body)
                if not page:
                    break
        except OneLLMError as exc:
            locate(exc, self.name, None)
        return models


MODELS = CohereModels(codes=CODES)

PROVIDER = CohereProvider(
    name="cohere",
    base_url="https://api.cohere.com",
    key_env=("CO_API_KEY", "COHERE_API_KEY"),
    base_url_env=("CO_API_URL",),
    option_headers={"client_name": "X-Client-Name"},
    chat=CohereChat(codes=CODES),
    embeddings=CohereEmbeddings(codes=CODES),
    rerank=Rerank(path="v2/rerank", takes_objects=False, codes=CODES),
    transcriptions=CohereTranscriptions(
        path="v2/audio/transcriptions",
        file_types=frozenset({"flac", "mp3", "mpeg", "mpga", "ogg", "wav"}),
        formats=frozenset({"json"}),
        sends_format=False,
        refuses=dict.fromkeys(
            (
                "chunking_strategy",
                "include",
                "keywords",
                "known_speaker_names",
                "known_speaker_references",
                "languages",
                "prompt",
                "timestamp_granularities",
            ),
            _LACKS,
        ),
        codes=CODES,
    ),
    models=MODELS,
    docs="https://docs.cohere.com",
    notes=(
        "the options of its chat are `cohere=CohereOptions(...)`",
        "What of a call is mapped, and what is refused, stands in docs/cohere.md.",
    ),
)
