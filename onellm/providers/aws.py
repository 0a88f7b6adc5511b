"""Amazon's signature, and where the credentials for it come from.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

import asyncio
import hmac
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigFileError
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlsplit
from weakref import WeakKeyDictionary

from msgspec import Struct

from onellm.errors import ConfigurationError, MissingDependencyError, MissingKeyError
from onellm.providers.auth import BEARER, Outgoing
from onellm.providers.base import ProviderSettings
from onellm.types.secret import Secret

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Credentials(Struct, frozen=True, gc=False):
    """Who signs. token is that of a session, where they are of one."""

    access_key_id: str
    secret_access_key: Secret
    token: Secret | None = None


# --- the signature ---


def sign(outgoing: Outgoing, credentials: Credentials, *, region: str, service: str) -> dict[str, str]:
    """The headers that sign a request: of JSON where it has a body, and with the URL exactly as it goes out."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(outgoing.now))
    parts = urlsplit(outgoing.url)
    headers = {"host": _host(parts.scheme, parts.hostname or "", parts.port), "x-amz-date": stamp}
    if outgoing.body is not None:
        headers["content-type"] = "application/json"
    if credentials.token is not None:
        headers["x-amz-security-token"] = credentials.token.reveal()
    names = sorted(headers)
    signed = ";".join(names)
    canonical = "\n".join(
        (
            outgoing.method,
            quote(parts.path or "/", safe="/~"),  # once more: what goes out is encoded already
            _query(parts.query),
            *(f"{name}:{headers[name]}" for name in names),
            "",
            signed,
            sha256(outgoing.body or b"").hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_access_key.reveal()}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    given = {
        "Authorization": f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={signed}, Signature={signature}",
        "X-Amz-Date": stamp,
    }
    if credentials.token is not None:
        given["X-Amz-Security-Token"] = credentials.token.reveal()
    return given


def _host(scheme: str, host: str, port: int | None) -> str:
    """The Host header as it goes out: without the port that the scheme has anyway."""
    host = f"[{host}]" if ":" in host else host
    return host if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{host}:{port}"


def _query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    return "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs))


# --- where the credentials come from ---


class _Refreshing(Protocol):
    """What botocore gives: credentials that renew themselves when they are asked for."""

    def get_frozen_credentials(self) -> Any: ...


class CredentialChain:
    """Credentials as botocore finds them: environment, profile, role, SSO, process, container, instance.

    botocore blocks, so it is asked in a thread: once for all who wait, and again only when what it gave is near its
    end. The waiters of one event loop share one look; botocore itself holds back those of other loops.
    """

    def __init__(self, profile: str | None, *, provider: str) -> None:
        self._profile = profile
        self._provider = provider
        self._source: _Refreshing | None = None
        self._found: Credentials | None = None
        self._looks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[Credentials]] = WeakKeyDictionary()

    async def get(self) -> Credentials:
        """The credentials.

        Raises:
            MissingDependencyError: botocore is not installed.
            MissingKeyError: there are none.
            ConfigurationError: a profile does not exist, or what it names gives nothing.
        """
        if self._found is not None and not self._ends_soon():
            return self._found
        loop = asyncio.get_running_loop()
        look = self._looks.get(loop)
        if look is None:
            look = self._looks[loop] = loop.create_task(asyncio.to_thread(self._look))
            look.add_done_callback(self._looked)
        return await asyncio.shield(look)

    def _looked(self, look: "asyncio.Task[Credentials]") -> None:
        self._looks.pop(look.get_loop(), None)
        if not look.cancelled():
            look.exception()  # seen, also where everybody who waited has gone

    def _ends_soon(self) -> bool:
        """Whether botocore would renew them. What never ends has no such question."""
        asked: Callable[[], bool] | None = getattr(self._source, "refresh_needed", None)
        return asked is not None and asked()

    def _look(self) -> Credentials:
        try:
            exceptions: Any = import_module("botocore.exceptions")
            session: Any = import_module("botocore.session")
        except ImportError as exc:
            raise MissingDependencyError(
                f'{self._provider} without a key signs with AWS credentials: pip install "onellm[bedrock]"',
                provider=self._provider,
            ) from exc
        try:
            source: _Refreshing | None = self._source or session.Session(profile=self._profile).get_credentials()
            frozen: Any = None if source is None else source.get_frozen_credentials()
        except (
            exceptions.BotoCoreError,
            OSError,
            RuntimeError,
            ValueError,
        ) as exc:  # the last two: botocore's own and json's
            raise ConfigurationError(f"no AWS credentials: {exc}", provider=self._provider) from exc
        if frozen is None or not frozen.access_key:
            raise MissingKeyError(
                f"no key for {self._provider}: set AWS_BEARER_TOKEN_BEDROCK, or have AWS credentials: in the "
                "environment, a profile, a role",
                provider=self._provider,
            )
        self._source = source
        self._found = credentials(frozen.access_key, frozen.secret_key, frozen.token, "the AWS credentials")
        return self._found


def credentials(key_id: Any, secret: Any, token: Any, name: str) -> Credentials:
    """Credentials of texts.

    Raises:
        ConfigurationError: one is no text, or holds what no key does.
    """
    for value in (key_id, secret, *((token,) if token else ())):
        if not isinstance(value, str):
            raise ConfigurationError(f"{name}: each must be a text, not {type(value).__name__}")
    checked = Secret(key_id, name=f"{name}: the access key id")
    return Credentials(
        checked.reveal(),
        Secret(secret, name=f"{name}: the secret access key"),
        Secret(token, name=f"{name}: the session token") if token else None,
    )


def profile_region(profile: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The region of a profile in AWS's configuration file, read here so that finding it needs no botocore."""
    path = Path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    name = profile or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ConfigFileError):
        return None  # not there, or not to be read: botocore says so where it is needed
    for section in (f"profile {name}", name):
        if parser.has_option(section, "region"):
            return parser.get(section, "region").strip() or None
    return None


# --- both, as a row's auth ---

KEPT = "aws"
"""Where `ProviderSettings.state` holds what signs."""


class Signer(Struct):
    """What one client signs with: credentials that were given, or the chain.

    over_key:  whether they were given, and so go before a key of the environment
    """

    region: str | None
    get: Callable[[], Awaitable[Credentials]]
    over_key: bool


class SigV4(Struct, frozen=True):
    """A key as a bearer, where there is one; else Amazon's signature, new for each request."""

    service: str

    def fixed_headers(self, settings: ProviderSettings) -> dict[str, str] | None:
        signer: Signer = settings.state[KEPT]
        if settings.api_key is None or signer.over_key:
            return None
        return BEARER.fixed_headers(settings)

    async def headers(self, outgoing: Outgoing, settings: ProviderSettings) -> dict[str, str]:
        signer: Signer = settings.state[KEPT]
        if settings.api_key is not None and not signer.over_key:
            return await BEARER.headers(outgoing, settings)
        if signer.region is None:
            raise ConfigurationError("a signature names the region: set AWS_REGION, or give the option region")
        return sign(outgoing, await signer.get(), region=signer.region, service=self.service)


def signer(options: Mapping[str, Any], *, region: str | None, provider: str) -> Signer:
    """What a provider's options say of credentials.

    Raises:
        ConfigurationError: one of two that belong together is missing.
    """
    key_id, secret = options.get("access_key_id"), options.get("secret_access_key")
    if not key_id and not secret:
        if options.get("session_token"):
            raise ConfigurationError(f"{provider}: session_token belongs to access_key_id and secret_access_key")
        profile: Any = options.get("profile")
        return Signer(region, CredentialChain(profile, provider=provider).get, over_key=False)
    if not key_id or not secret:
        raise ConfigurationError(f"{provider}: give access_key_id and secret_access_key, not one of them")
    own = credentials(key_id, secret, options.get("session_token"), f"the options of {provider}")

    async def get() -> Credentials:
        return own

    return Signer(region, get, over_key=True)
