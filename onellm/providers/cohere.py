"""Cohere: its own API, v2. https://docs.cohere.com/reference/about"""

from typing import cast

from onellm.dialects.cohere.chat import CohereChat
from onellm.errors import APIStatusError, ContentFilterError, OneLLMError
from onellm.providers.answers import locate
from onellm.providers.base import Call
from onellm.providers.http import HttpProvider
from onellm.providers.named import CohereEmbeddings, CohereModels, CohereTranscriptions, Rerank
from onellm.types.models import ModelInfo

# A token of the deny list was asked for, or written; elsewhere a 498 is a busy gateway.
CODES: dict[str, type[APIStatusError]] = {"498": ContentFilterError}
_LACKS = "its API does not have it"


class CohereProvider(HttpProvider, frozen=True, kw_only=True):
    """A list of models comes in pages, which are read to the last."""

    async def list_models(self, call: Call) -> list[ModelInfo]:
        dialect = cast("CohereModels", self._dialect(self.models, "models"))
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
    models=CohereModels(codes=CODES),
    docs="https://docs.cohere.com",
    notes=(
        "the options of its chat are `cohere=CohereOptions(...)`",
        "What of a call is mapped, and what is refused, stands in docs/cohere.md.",
    ),
)
