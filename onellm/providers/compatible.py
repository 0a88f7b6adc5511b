"""One row for each provider that speaks OpenAI's API and needs no code."""

from onellm.dialects.base import ChatDialect, EmbeddingDialect, ModelsDialect
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.dialects.openai.models import OpenAIModels
from onellm.providers.http import HttpProvider


def compatible(
    name: str,
    base_url: str | None = None,
    *,
    key_env: str | tuple[str, ...] = (),
    chat: ChatDialect | None = None,
    embeddings: EmbeddingDialect | None = None,
    models: ModelsDialect | None = None,
) -> HttpProvider:
    """A host of your own that speaks OpenAI's API, to be registered.

    key_env is the variable that holds its key; without one it needs none. Where its API differs, give the dialects
    with their quirks set. Without base_url the settings must give one.
    """
    return HttpProvider(
        name=name,
        base_url=base_url,
        key_env=(key_env,) if isinstance(key_env, str) else key_env,
        key_optional=not key_env,
        chat=chat or OpenAIChat(),
        embeddings=embeddings or OpenAIEmbeddings(),
        models=models or OpenAIModels(),
    )


_ROWS = (
    HttpProvider(
        name="openai",
        base_url="https://api.openai.com/v1",
        base_url_env=("OPENAI_BASE_URL",),
        key_env=("OPENAI_API_KEY",),
        option_env={"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"},
        option_headers={"organization": "OpenAI-Organization", "project": "OpenAI-Project"},
        chat=OpenAIChat(max_tokens_field="max_completion_tokens"),
        embeddings=OpenAIEmbeddings(),
        models=OpenAIModels(),
        docs="https://platform.openai.com/docs/api-reference",
    ),
    HttpProvider(
        name="openai-compatible",
        base_url=None,
        base_url_env=("OPENAI_COMPATIBLE_BASE_URL",),
        key_env=("OPENAI_COMPATIBLE_API_KEY",),
        key_optional=True,
        chat=OpenAIChat(),
        embeddings=OpenAIEmbeddings(),
        models=OpenAIModels(),
        docs="https://platform.openai.com/docs/api-reference",
    ),
)

ROWS = {row.name: row for row in _ROWS}
