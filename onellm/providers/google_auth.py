"""Google's application default credentials, as bearer tokens. https://google.aip.dev/auth/4110"""

import asyncio
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from onellm.errors import APIConnectionError, AuthenticationError, ConfigurationError, MissingDependencyError
from onellm.providers.auth import BEARER, Outgoing
from onellm.providers.base import ProviderSettings
from onellm.providers.tokens import Token, TokenCache
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_HOUR = 3600.0
_TOKENS = "google.tokens"


class GoogleCredentials(Struct, frozen=True):
    """A key in its header; without one, tokens of the machine's credentials, or of a function that gives them.

    The options `credentials_file` and `quota_project` say whose tokens they are, and who pays.
    """

    key_header: str = "x-goog-api-key"

    def fixed_headers(self, settings: ProviderSettings) -> dict[str, str] | None:
        key = settings.api_key
        return {self.key_header: key.reveal()} if isinstance(key, Secret) else None

    async def headers(self, outgoing: Outgoing, settings: ProviderSettings) -> dict[str, str]:
        if (fixed := self.fixed_headers(settings)) is not None:
            return fixed
        found = _payer(settings)
        if settings.api_key is not None:
            return await BEARER.headers(outgoing, settings) | found
        cache: TokenCache = settings.state.setdefault(_TOKENS, TokenCache(_Source(settings)))
        secret = await cache.get()
        return {"Authorization": f"Bearer {secret.reveal()}", **_payer(settings)}


def _payer(settings: ProviderSettings) -> dict[str, str]:
    payer = settings.options.get("quota_project") or settings.state.get("quota_project")
    return {"x-goog-user-project": str(payer)} if payer else {}


class _Source:
    """Gets tokens from google-auth, which blocks: in a thread."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._credentials: Credentials | None = None

    async def __call__(self) -> Token:
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> Token:
        """A new token. Blocks.

        Raises:
            MissingDependencyError: google-auth is not installed.
            ConfigurationError: there are no credentials.
            AuthenticationError: they are refused.
            APIConnectionError: who gives tokens could not be reached.
        """
        try:
            from google.auth import exceptions  # noqa: PLC0415 - an extra
            from google.auth.transport.requests import Request  # noqa: PLC0415
        except ImportError as exc:
            raise MissingDependencyError(
                'the credentials of Google Cloud need google-auth: pip install "onellm[vertex]"; or give an api_key'
            ) from exc
        try:
            credentials: Any = self._credentials or self._load()
            self._credentials = credentials
            request: Any = Request()
            try:
                credentials.refresh(request)
            finally:
                request.session.close()
        except exceptions.DefaultCredentialsError as exc:
            raise ConfigurationError(
                "no credentials of Google Cloud: run `gcloud auth application-default login`, set "
                f"GOOGLE_APPLICATION_CREDENTIALS, or give the option credentials_file or an api_key: {exc}"
            ) from exc
        except exceptions.TransportError as exc:
            raise APIConnectionError(f"no token from Google: {exc}") from exc
        except (exceptions.GoogleAuthError, ValueError, OSError) as exc:
            raise AuthenticationError(f"no token from Google: {exc}", status_code=401) from exc
        expiry = credentials.expiry  # UTC, without saying so
        expires = time.time() + _HOUR if expiry is None else expiry.replace(tzinfo=UTC).timestamp()
        return Token(Secret(str(credentials.token), name="the token of Google's"), expires)

    def _load(self) -> "Credentials":
        file = self._settings.options.get("credentials_file")
        if file:
            return _service_account(str(file))
        from google import auth  # noqa: PLC0415 - an extra

        typed: Any = auth  # it has few types of its own
        credentials: Credentials = typed.default(scopes=_SCOPES)[0]
        if payer := getattr(credentials, "quota_project_id", None):
            self._settings.state["quota_project"] = payer
        return credentials


def _service_account(file: str) -> "Credentials":
    """The account whose key a file holds. Other kinds of files name programs and hosts: those come by the environment.

    Raises:
        ConfigurationError: it cannot be read, or holds no such key.
    """
    from google.oauth2 import service_account  # noqa: PLC0415 - an extra

    typed: Any = service_account  # it has few types of its own
    try:
        found: Credentials = typed.Credentials.from_service_account_file(file, scopes=_SCOPES)
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"the option credentials_file: no key of a service account: {exc}") from exc
    return found
