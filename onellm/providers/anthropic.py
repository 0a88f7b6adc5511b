"""Anthropic: the Messages API, and what an account has beside it. https://platform.claude.com/docs/en/api/overview"""

from msgspec import Struct

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.errors import OneLLMError
from onellm.providers.answers import locate
from onellm.providers.auth import BEARER, HeaderKey, Outgoing
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.http import HttpProvider
from onellm.providers.named import AnthropicBatches, AnthropicFiles, AnthropicModels, AnthropicTokenCount
from onellm.types.models import ModelInfo
from onellm.types.secret import Secret

VERSION = "2023-06-01"  # the one that takes temperature, top_p and top_k
TOKEN = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - the name of a variable

_KEY = HeaderKey("x-api-key", "")


class KeyOrToken(Struct, frozen=True):
    """A key in `x-api-key`; a token, from its own variable or from a function that gives one, as a bearer."""

    def fixed_headers(self, settings: ProviderSettings) -> dict[str, str] | None:
        return _auth(settings).fixed_headers(settings)

    async def headers(self, outgoing: Outgoing, settings: ProviderSettings) -> dict[str, str]:
        return await _auth(settings).headers(outgoing, settings)


def _auth(settings: ProviderSettings) -> HeaderKey:
    key = settings.api_key
    return BEARER if settings.key_source == TOKEN or not (key is None or isinstance(key, Secret)) else _KEY


class AnthropicProvider(HttpProvider, frozen=True, kw_only=True):
    """Its list of models comes in pages."""

    async def list_models(self, call: Call) -> list[ModelInfo]:
        dialect = self._dialect(self.models, "models")
        if not isinstance(dialect, AnthropicModels):
            return await super().list_models(call)
        found: list[ModelInfo] = []
        following: str | None = ""
        asked: set[str] = set()
        while following is not None:
            asked.add(following)
            try:
                response = await self._send(dialect, dialect.encode_list(following), call)
                page = dialect.decode_list(response.body)
                last = dialect.decode_next(response.body)
            except OneLLMError as exc:
                locate(exc, self.name, None)
            self._sign(page, response)
            found += page
            following = last if last and last not in asked else None
        return found


_CHAT = AnthropicMessages()

PROVIDER = AnthropicProvider(
    name="anthropic",
    base_url="https://api.anthropic.com",
    key_env=("ANTHROPIC_API_KEY", TOKEN),
    base_url_env=("ANTHROPIC_BASE_URL",),
    headers={"anthropic-version": VERSION},
    auth=KeyOrToken(),
    chat=_CHAT,
    token_counts=AnthropicTokenCount(messages=_CHAT),
    files=AnthropicFiles(),
    batches=AnthropicBatches(),
    models=AnthropicModels(),
    docs="https://platform.claude.com/docs/en/api/overview",
    notes=(
        "A token in `ANTHROPIC_AUTH_TOKEN`, or from a function given as `api_key`, is sent as a bearer.",
        "What of a call is mapped, and what is refused, stands in docs/anthropic.md.",
    ),
)
