"""Quirks that several hosts share, as values for the fields of their dialects."""

from onellm.providers.named import Paging

MAX_TOKENS = {"max_completion_tokens": "max_tokens"}
TEXT_ONLY = frozenset({"text"})
NO_SCHEMA = frozenset({"text", "json_object"})
NO_JSON_OBJECT = frozenset({"text", "json_schema"})

# OpenAI's arguments that only OpenAI's own service has; hosts that refuse what they do not know refuse these.
OPENAI_ONLY = dict.fromkeys(
    (
        "audio",
        "modalities",
        "moderation",
        "prediction",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "store",
        "verbosity",
        "web_search_options",
    ),
    "only OpenAI has it",
)

# Arguments of Responses that a host which keeps nothing cannot follow.
STATELESS: dict[str, str] = dict.fromkeys(
    ("background", "conversation", "previous_response_id", "store"),
    "it keeps no responses: what was said before goes into the input",
)

# Lists that come in other pages than OpenAI's.
WHOLE = Paging(style="whole", refuses=dict.fromkeys(("after", "limit", "order", "purpose"), "its list comes whole"))
NUMBERED = Paging(
    style="page",
    renames={"limit": "page_size"},
    refuses=dict.fromkeys(("after", "order"), "its pages have numbers: give `page` in extra_query"),
)


def refuses(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "its API does not have it")
