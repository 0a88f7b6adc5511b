"""What the two places of Gemini have in common as hosts."""

import re
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from onellm.errors import OneLLMError
from onellm.providers.answers import locate
from onellm.providers.base import Call
from onellm.providers.http import HttpProvider
from onellm.types.models import ModelInfo

if TYPE_CHECKING:
    from onellm.dialects.gemini.models import GeminiModels

_MOST_PAGES = 100
_VERSION = re.compile(r"/(v\d+[a-z0-9]*)(?:/|$)")


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


def version(base_url: str, otherwise: str) -> str:
    """The version of the API that a base URL names, which the names of its services repeat."""
    found = _VERSION.search(urlsplit(base_url).path)
    return found[1] if found else otherwise


def with_version(base_url: str, other: str) -> str:
    """The base URL with another version of the API, or with one where it names none."""
    parts = urlsplit(base_url)
    root = parts.path.rstrip("/")
    if found := _VERSION.search(root):
        root = root[: found.start()]
    return parts._replace(path=f"{root}/{other}").geturl()


def under(base_url: str, folder: str) -> str:
    """The base URL with a folder in front of its version, or at its end where it names none."""
    parts = urlsplit(base_url)
    root = parts.path.rstrip("/")
    found = _VERSION.search(root)
    place = found.start() if found else len(root)
    return parts._replace(path=f"{root[:place]}/{folder}{root[place:]}").geturl()
