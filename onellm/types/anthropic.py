"""Options of the Messages API beyond OpenAI's shape. https://platform.claude.com/docs/en/api/messages"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Required

from msgspec import Meta, Struct
from typing_extensions import TypedDict

from onellm.types.chat_params import CacheControl


class ThinkingConfig(TypedDict, total=False):
    """How the model thinks: `{"type": "adaptive"}`, `{"type": "enabled", "budget_tokens": 4096}` and others.

    Which of the types a model takes differs; the API refuses the others. budget_tokens, from 1024 and below the
    answer's max_tokens, belongs to "enabled"; display is for that and "adaptive".
    """

    type: Required[Literal["adaptive", "enabled", "disabled", "between_tools"]]
    budget_tokens: Annotated[int, Meta(ge=1024)]
    display: Literal["summarized", "omitted"]
    block_binding: Mapping[str, Any]


class McpServer(TypedDict, total=False):
    """A server of tools that the provider calls by itself; needs a beta such as `mcp-client-2025-11-20`."""

    type: Required[Literal["url"]]
    url: Required[str]
    name: Required[str]
    authorization_token: str | None
    tool_configuration: Mapping[str, Any]


class Container(TypedDict, total=False):
    """Where code runs: an earlier answer's container, skills to load into it, or both."""

    id: str | None
    skills: list[Mapping[str, Any]]


class AnthropicOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only the Messages API takes: `create(..., anthropic=AnthropicOptions(top_k=5))`.

    version:             the `anthropic-version`; from "2026-10-21" on the API takes no temperature, top_p and top_k
    betas:               values of the `anthropic-beta` header
    thinking:            how the model thinks; goes before what `reasoning_effort` implies
    default_max_tokens:  the limit of an answer where the call gives none
    top_k:               sample from this many tokens only
    cache_control:       sets a cache breakpoint at the prompt's end by itself
    citations:           whether the answer cites the documents that are sent
    tools:               tools in the API's own words, such as those that the provider runs, after those of `tools`
    late_system:         how system messages after the first turn go: wrapped into the user's text, or as such, for
                         models that take them
    container:           where code runs: its id, or what to make it of
    mcp_servers:         servers of tools that the provider calls
    speed:               "fast" for models that have it
    inference_geo:       where the model runs
    context_management:  what the provider takes out of a long conversation
    diagnostics:         asks why the cache was missed
    """

    version: str | None = None
    betas: tuple[str, ...] = ()
    thinking: ThinkingConfig | None = None
    default_max_tokens: Annotated[int, Meta(ge=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    cache_control: CacheControl | None = None
    citations: bool = False
    tools: tuple[Mapping[str, Any], ...] = ()
    late_system: Literal["user", "system"] = "user"
    container: str | Container | None = None
    mcp_servers: tuple[McpServer, ...] = ()
    speed: Literal["standard", "fast"] | None = None
    inference_geo: str | None = None
    context_management: Mapping[str, Any] | None = None
    diagnostics: Mapping[str, Any] | None = None
