"""How a request proves who sends it: small values that give headers."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from msgspec import Struct

from onellm.errors import ConfigurationError
from onellm.providers.base import ProviderSettings
from onellm.types.secret import Secret


class Outgoing(Struct, frozen=True, gc=False):
    """What a signer needs to see of a request. body is None where there is none, or it is a form; now is Unix time."""

    method: str
    url: str
    body: bytes | None
    now: float


class Auth(Protocol):
    """Gives the headers that authorise one request."""

    def fixed_headers(self, settings: ProviderSettings) -> dict[str, str] | None:
        """They, where they are the same for every request; None where each has its own."""
        ...

    async def headers(self, outgoing: Outgoing, settings: ProviderSettings) -> dict[str, str]: ...


@runtime_checkable
class PreviewsHeaders(Protocol):
    """An auth that fetches or signs, and says how its headers look where nothing is sent."""

    def preview_headers(self, settings: ProviderSettings) -> dict[str, str]:
        """The headers, with `***` for each secret."""
        ...


def previewed_headers(auth: Auth, settings: ProviderSettings) -> dict[str, str]:
    """The headers of a request that is not sent; the key in the settings is a placeholder."""
    if (fixed := auth.fixed_headers(settings)) is not None:
        return fixed
    return auth.preview_headers(settings) if isinstance(auth, PreviewsHeaders) else {"Authorization": "***"}


@runtime_checkable
class Renews(Protocol):
    """An `Auth` that can get a new token where one was refused before its time."""

    def forget(self, sent: Mapping[str, str], settings: ProviderSettings) -> None:
        """Drop the token that a request with these headers was refused for; one that is newer stays."""
        ...


class HeaderKey(Struct, frozen=True):
    """The key in one header, after a prefix."""

    header: str = "Authorization"
    prefix: str = "Bearer "

    def fixed_headers(self, settings: ProviderSettings) -> dict[str, str] | None:
        key = settings.api_key
        if key is None:
            return {}
        return {self.header: self.prefix + key.reveal()} if isinstance(key, Secret) else None

    async def headers(self, outgoing: Outgoing, settings: ProviderSettings) -> dict[str, str]:  # noqa: ARG002 - a signer's
        key = settings.api_key
        if key is None or isinstance(key, Secret):
            return self.fixed_headers(settings) or {}
        token = key()
        secret = Secret(token if isinstance(token, str) else await token, name="the token that api_key() gave")
        return {self.header: self.prefix + secret.reveal()}


BEARER = HeaderKey()


def check_host(settings: ProviderSettings, provider: str) -> None:
    """For who is about to prove itself by what the machine has: a token, or a signature, which can be used again.

    Raises:
        ConfigurationError: the host was chosen by a file that came with somebody else's project.
    """
    if settings.foreign_host:
        raise ConfigurationError(
            f"{provider}: its base URL, on {urlsplit(settings.base_url).hostname}, comes from a file in the working "
            "directory, which may not choose where a token or signature of this machine goes: pass base_url=, or put "
            "it into the user's own file",
            provider=provider,
        )
