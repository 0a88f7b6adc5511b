"""What the two places of Gemini have in common as hosts."""

from typing import TYPE_CHECKING, cast

from onellm.errors import OneLLMError
from onellm.providers.answers import locate
from onellm.providers.http import HttpProvider
from onellm.providers.protocols import Call
from onellm.types.models import ModelInfo

if TYPE_CHECKING:
    from onellm.dialects.gemini.models import GeminiModels

_MOST_PAGES = 100


class GeminiHost(HttpProvider, frozen=True, kw_only=True):
    """A host whose list of models comes in pages."""

    async def list_models(self, call: Call) -> list[ModelInfo]:
        dialect = cast("GeminiModels", self._dialect(self.models, "models"))
        found: list[ModelInfo] = []
        token = ""
        try:
            for _ in range(_MOST_PAGES):
                response = await self._send(dialect, dialect.encode_page(token), call)
                page, token = dialect.decode_page(response.body)
                self._sign(page, response)
                found += page
                if not token:
                    break
        except OneLLMError as exc:
            locate(exc, self.name, None)
        return found
