"""What every call and every provider has, whatever the operation; `protocols` says what each operation asks for."""

# The types of all operations stand in annotations alone: what imports a client pays for those it uses.
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onellm.providers.protocols import Pace, Transport
    from onellm.types.embeddings import EmbeddingsRequest
    from onellm.types.options import SharedHeaders, Timeouts, TokenCredential, TokenSource
    from onellm.types.secret import Secret

OPERATIONS = (
    "chat",
    "token_counts",
    "completions",
    "responses",
    "embeddings",
    "transcriptions",
    "translations",
    "speech",
    "images",
    "image_edits",
    "image_variations",
    "files",
    "file_urls",
    "uploads",
    "batches",
    "models",
    "model_store",
    "moderations",
    "rerank",
    "ocr",
    "realtime",
    "realtime_tokens",
)


class ProviderSettings(Struct, kw_only=True):
    """How one client reaches one provider.

    options:        the provider's own settings, such as OpenAI's organization; what they are is up to the provider
    query:          what the URL of every request ends with
    proxy:          the proxy for its host, or None
    state:          what its auth keeps from one request to the next, such as a token
    key_source:     where the key comes from: "argument", a variable, a file, or "none"
    credential:     what gives tokens in place of a key, where the provider takes such an object
    foreign_host:   the base URL was chosen by a file that came with somebody else's project: a key or token of the
                    environment may not go there
    usual_headers:  what every request of JSON has, the key included; kept here once they are worked out
    preview:        nothing is sent: no token is fetched and nothing is signed, the key is a placeholder
    """

    api_key: Secret | TokenSource | None = None
    base_url: str = ""
    headers: dict[str, str] = {}
    options: dict[str, Any] = {}
    query: dict[str, str] = {}
    proxy: str | None = None
    state: dict[str, Any] = {}
    key_source: str = "none"
    credential: TokenCredential | None = None
    foreign_host: bool = False
    usual_headers: SharedHeaders | None = None
    preview: bool = False

    def __repr__(self) -> str:  # headers and a proxy's password stay out
        return f"ProviderSettings(base_url={self.base_url!r}, api_key={self.api_key!r})"


class Call(Struct, frozen=True, kw_only=True):
    """What one call goes through: connection, settings, limits. A provider without a socket needs none of the first.

    headers:  the caller's own; None takes one of ours away
    query:    the caller's own
    body:     fields of the caller's own, for a request that has no body otherwise
    pace:     what makes requests for models wait for their turn; None where there are no limits
    priority: whose turn is first: the higher one's
    """

    transport: Transport
    settings: ProviderSettings
    timeouts: Timeouts
    max_event_bytes: int
    max_body_bytes: int = 512 << 20
    headers: Mapping[str, str | None] | None = None
    query: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    pace: Pace | None = None
    priority: int = 0


@runtime_checkable
class Provider(Protocol):
    """What every provider has. A False flag is known to be so; True may depend on the model."""

    @property
    def name(self) -> str: ...
    @property
    def json_mode_support(self) -> bool: ...
    @property
    def vision_support(self) -> bool: ...
    @property
    def audio_input_support(self) -> bool: ...
    @property
    def streaming_support(self) -> bool: ...
    @property
    def realtime_support(self) -> bool: ...
    @property
    def function_calling_support(self) -> bool: ...

    def get_model_capabilities(self, model: str) -> dict[str, bool]:
        """The flags for one model, and more of them; a key that is absent is not known."""
        ...


@runtime_checkable
class CountsInputs(Protocol):
    """An embedding provider whose models differ in how many inputs one request may have."""

    def embedding_inputs(self, request: EmbeddingsRequest, call: Call) -> int: ...


@runtime_checkable
class Settles(Protocol):
    """A provider whose address follows from its options: a region, a project, a resource."""

    def settle(self, settings: ProviderSettings) -> ProviderSettings:
        """The settings as its requests need them; called once a client.

        Raises:
            ConfigurationError: an option is missing or wrong; says which.
        """
        ...


@runtime_checkable
class Configurable(Protocol):
    """A provider that is reached over the network and says where its settings come from.

    base_url:       the default; None where only the user can know it
    base_url_env:   variables that replace it, in order
    key_env:        variables that hold the key, in order
    key_optional:   whether it works without a key
    option_env:     the provider's own options, each with its variable, or with several, in order
    """

    @property
    def base_url(self) -> str | None: ...
    @property
    def base_url_env(self) -> tuple[str, ...]: ...
    @property
    def key_env(self) -> tuple[str, ...]: ...
    @property
    def key_optional(self) -> bool: ...
    @property
    def option_env(self) -> Mapping[str, str | tuple[str, ...]]: ...


@runtime_checkable
class ReadsBaseUrl(Protocol):
    """A provider whose base URL users give in many forms."""

    def read_base_url(self, url: str) -> tuple[str, dict[str, Any]]:
        """The base URL in its one form, and the options that the given one says."""
        ...


def operations(provider: object) -> frozenset[str]:
    """What a provider serves: as it says itself, or by the methods that it has."""
    said = getattr(provider, "operations", None)
    if isinstance(said, frozenset):
        return said  # pyright: ignore[reportUnknownVariableType] - a row's own property
    from onellm.providers.protocols import PROTOCOLS  # noqa: PLC0415 - for providers that are no rows

    return frozenset(name for name, protocol in PROTOCOLS.items() if isinstance(provider, protocol))
