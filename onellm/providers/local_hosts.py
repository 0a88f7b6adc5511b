"""Rows of servers that one runs oneself: no default key, and an address that only the user knows for sure."""

from onellm.dialects.openai.audio import OpenAITranscriptions, OpenAITranslations
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.completions import OpenAICompletions
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.dialects.openai.models import OpenAIModels
from onellm.dialects.openai.responses import OpenAIResponses
from onellm.dialects.rerank import Rerank
from onellm.providers import llama_server
from onellm.providers.http import HttpProvider
from onellm.providers.quirks import MAX_TOKENS, NO_JSON_OBJECT, STATELESS

LOCAL = (
    HttpProvider(
        name="tgi",
        base_url=None,
        base_url_env=("TGI_BASE_URL",),
        key_env=("HF_TOKEN",),
        key_optional=True,
        chat=OpenAIChat(
            think_tags=True,
            renames=MAX_TOKENS,
            refuses={"logit_bias": "its own is a list with a number for each token"},
            lists=("stop",),
            response_formats=NO_JSON_OBJECT,
            schema_key="value",
            audio_input=False,
        ),
        completions=OpenAICompletions(),
        models=OpenAIModels(),
        docs="https://huggingface.co/docs/text-generation-inference/reference/api_reference",
    ),
    HttpProvider(
        name="tei",
        base_url=None,  # the server's root: its own routes stand beside /v1
        base_url_env=("TEI_BASE_URL",),
        key_env=("HF_TOKEN",),
        key_optional=True,
        embeddings=OpenAIEmbeddings(path="v1/embeddings", max_inputs=32),
        rerank=Rerank(documents_field="texts", takes_objects=False, model_in_body=False, takes_top_n=False),
        docs="https://huggingface.co/docs/text-embeddings-inference",
    ),
    HttpProvider(
        name="vllm",
        base_url="http://localhost:8000/v1",
        base_url_env=("VLLM_BASE_URL",),
        key_env=("VLLM_API_KEY",),
        key_optional=True,
        chat=OpenAIChat(think_tags=True, caching="automatic"),
        completions=OpenAICompletions(),
        responses=OpenAIResponses(),
        embeddings=OpenAIEmbeddings(),
        transcriptions=OpenAITranscriptions(),
        translations=OpenAITranslations(),
        models=OpenAIModels(publishes="list"),
        rerank=Rerank(),
        docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        notes=("Tools need the flags `--enable-auto-tool-choice` and `--tool-call-parser` on the server.",),
    ),
    HttpProvider(
        name="lmstudio",
        base_url="http://localhost:1234/v1",
        base_url_env=("LM_STUDIO_API_BASE",),
        key_env=("LM_STUDIO_API_KEY", "LM_API_TOKEN"),
        key_optional=True,
        chat=OpenAIChat(think_tags=True, renames=MAX_TOKENS, response_formats=NO_JSON_OBJECT, audio_input=False),
        completions=OpenAICompletions(),
        responses=OpenAIResponses(),
        embeddings=OpenAIEmbeddings(),
        models=OpenAIModels(),
        docs="https://lmstudio.ai/docs/app/api/endpoints/openai",
    ),
    HttpProvider(
        name="llama-server",
        base_url="http://127.0.0.1:8080/v1",  # builds of late 2026 listen on 9931
        base_url_env=("LLAMA_SERVER_BASE_URL",),
        key_env=("LLAMA_API_KEY",),
        key_optional=True,
        chat=llama_server.CHAT,
        completions=OpenAICompletions(),
        responses=OpenAIResponses(keeps=False, refuses=STATELESS),
        embeddings=llama_server.EMBEDDINGS,
        transcriptions=OpenAITranscriptions(),
        models=llama_server.LlamaModels(),
        rerank=Rerank(takes_objects=False),
        docs="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        notes=("Builds of late 2026 listen on port 9931.",),
    ),
    HttpProvider(
        name="sglang",
        base_url="http://127.0.0.1:30000/v1",
        base_url_env=("SGLANG_BASE_URL",),
        key_env=("SGLANG_API_KEY",),
        key_optional=True,
        chat=OpenAIChat(think_tags=True, caching="automatic", replay=("reasoning_content",)),
        completions=OpenAICompletions(),
        responses=OpenAIResponses(),
        embeddings=OpenAIEmbeddings(),
        transcriptions=OpenAITranscriptions(),
        models=OpenAIModels(),
        rerank=Rerank(always={"return_documents": False}),
        docs="https://docs.sglang.ai/basic_usage/openai_api.html",
    ),
)
