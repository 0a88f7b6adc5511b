"""Amazon Bedrock: Converse, embeddings and rerankings, in a region, signed or with a key.

https://docs.aws.amazon.com/bedrock/latest/APIReference/welcome.html and, for the hosts,
https://docs.aws.amazon.com/general/latest/gr/bedrock.html
"""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from onellm.dialects.base import HttpRequest
from onellm.dialects.bedrock.converse import Converse, CountTokens
from onellm.dialects.bedrock.invoke import Family, InvokeEmbeddings, InvokeRerank
from onellm.dialects.bedrock.messages import InvokeMessages
from onellm.dialects.bedrock.models import FoundationModels
from onellm.errors import ConfigurationError
from onellm.providers.auth import check_host
from onellm.providers.aws import KEPT, SigV4, profile_region, signer
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.http import HttpProvider
from onellm.providers.protocols import ChunkStream
from onellm.types.base import Answer
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest

if TYPE_CHECKING:
    from onellm.dialects.protocols import ChatDialect

KEY_ENV = ("AWS_BEARER_TOKEN_BEDROCK",)
REGION = "<region>"
"""Stands for the region in the addresses of a row."""

_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
_TOKENS = "x-amzn-bedrock-input-token-count"
_SECRETS = frozenset({"access_key_id", "secret_access_key", "session_token"})
_OPTIONS = _SECRETS | {"families", "fips", "profile", "region"}


class AmazonProvider(HttpProvider, frozen=True, kw_only=True):
    """A row whose hosts are in a region, and whose requests are signed where there is no key.

    messages:  another API for chat, which the calls take that give its options
    """

    messages: "ChatDialect | None" = None

    def settle(self, settings: ProviderSettings) -> ProviderSettings:
        """The address in the region, and what signs.

        The region is that of the options, AWS_REGION, AWS_DEFAULT_REGION or the profile, in this order; there is no
        default. An address that the user gave stays, and all operations are there.
        """
        options = dict(settings.options)
        if unknown := sorted(options.keys() - _OPTIONS):
            known = ", ".join(sorted(_OPTIONS))
            raise ConfigurationError(f"{self.name} has no option {unknown[0]!r}; it has {known}", provider=self.name)
        region: Any = (
            options.get("region") or os.environ.get("AWS_DEFAULT_REGION") or profile_region(options.get("profile"))
        )
        if region is not None and (not isinstance(region, str) or not _REGION.fullmatch(region)):
            raise ConfigurationError(f"{region!r} is no region of AWS; one is us-east-1", provider=self.name)
        signs = signer(options, region=region, provider=self.name)
        if settings.api_key is None and not signs.over_key:
            check_host(settings, self.name)
        state: dict[str, Any] = {
            **settings.state,
            KEPT: signs,
            "families": _families(options),
        }
        base_url = settings.base_url
        if base_url == self.base_url:
            if region is None:
                raise ConfigurationError(
                    f"{self.name} is in many regions: set AWS_REGION, or give "
                    f'providers={{"{self.name}": {{"options": {{"region": …}}}}}}',
                    provider=self.name,
                )
            fips = bool(options.get("fips"))
            state["at"] = (region, fips)
            base_url = _in_region(base_url, region, fips)
        return structs.replace(
            settings,
            base_url=base_url,
            options={name: value for name, value in options.items() if name not in _SECRETS},
            state=state,
        )

    def address(self, http: HttpRequest, settings: ProviderSettings) -> str:
        if http.hosted_at and "at" in settings.state:
            return _in_region(http.hosted_at, *settings.state["at"])
        return f"{settings.base_url}/{http.path}"

    def embedding_inputs(self, request: EmbeddingsRequest, call: Call) -> int:
        """How many inputs one request to this model may have."""
        return self._embeddings(call).inputs_at_once(request.model)

    async def create_embeddings(self, request: EmbeddingsRequest, call: Call) -> CreateEmbeddingResponse:
        return await self.ask(self._embeddings(call), request, call)

    def _embeddings(self, call: Call) -> InvokeEmbeddings:
        dialect = self._dialect(self.embeddings, "embeddings")
        families: Mapping[str, Family] = call.settings.state["families"]
        if not isinstance(dialect, InvokeEmbeddings):
            raise ConfigurationError(f"{self.name} embeds by InvokeModel only", provider=self.name)
        return structs.replace(dialect, families=families) if families else dialect

    # Anthropic's own options are a wish for its own API; everything else goes by Converse.
    async def create_chat_completion(self, request: ChatRequest, call: Call) -> ChatCompletion:
        return await self.ask(self._chat(request), request, call)

    async def stream_chat_completion(self, request: ChatRequest, call: Call) -> ChunkStream:
        return await self.ask_stream(self._chat(request), request, call)

    def _chat(self, request: ChatRequest) -> "ChatDialect":
        usual = self._dialect(self.chat, "chat")
        if self.messages is None or self.messages.native_options.isdisjoint(request.params):
            return usual
        return self.messages

    @property
    def native_options(self) -> frozenset[str]:
        own = super().native_options
        return own if self.messages is None else own | self.messages.native_options

    def read_headers(self, reply: Answer, headers: Mapping[str, str]) -> None:
        """Most embedding models count their tokens in a header."""
        if isinstance(reply, CreateEmbeddingResponse) and (count := headers.get(_TOKENS, "")).isdecimal():
            reply.usage.prompt_tokens = reply.usage.total_tokens = int(count)


def _families(options: Mapping[str, Any]) -> dict[str, Family]:
    try:
        return msgspec.convert(options.get("families") or {}, dict[str, Family])
    except msgspec.ValidationError as exc:
        raise ConfigurationError(f"the option families: {exc}") from None


def _in_region(url: str, region: str, fips: bool) -> str:
    """An address with its region; with `fips` that of the validated cryptography; in China the ending differs."""
    if fips:
        url = url.replace(f".{REGION}.", f"-fips.{REGION}.", 1)
    if region.startswith("cn-"):
        url = url.replace(".amazonaws.com", ".amazonaws.com.cn", 1)
    return url.replace(REGION, region)


PROVIDER = AmazonProvider(
    name="bedrock",
    base_url=f"https://bedrock-runtime.{REGION}.amazonaws.com",
    key_env=KEY_ENV,
    base_url_env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
    key_optional=True,
    option_env={"region": "AWS_REGION"},
    auth=SigV4("bedrock"),
    chat=Converse(),
    messages=InvokeMessages(),
    token_counts=CountTokens(),
    embeddings=InvokeEmbeddings(),
    rerank=InvokeRerank(of_maker={"cohere": {"api_version": 2}}),
    models=FoundationModels(hosted_at=f"https://bedrock.{REGION}.amazonaws.com/foundation-models"),
    docs="https://docs.aws.amazon.com/bedrock/latest/userguide/what-is-bedrock.html",
    notes=(
        (
            "Without a key it signs with AWS credentials: the options `access_key_id`, `secret_access_key` and "
            "`session_token`, or what botocore finds (`onellm[bedrock]`), for the option `profile` if given."
        ),
        "The region is the option `region`, `AWS_REGION`, `AWS_DEFAULT_REGION` or that of the profile.",
        "With `anthropic=AnthropicOptions(...)` a call goes by InvokeModel as Anthropic's Messages, not by Converse.",
        "The option `fips` takes the FIPS hosts.",
        "The option `families` says what kind of embedding model an ARN stands for.",
        "What of a call is mapped, and what is refused, stands in docs/bedrock.md.",
    ),
)
