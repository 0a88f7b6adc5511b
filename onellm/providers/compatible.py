"""One row for each provider that speaks OpenAI's API. Facts: the page under `docs`; a doubt is said beside it."""

from typing import TYPE_CHECKING

from onellm.errors import (
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextLengthExceededError,
    InternalServerError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)
from onellm.providers.http import HttpProvider
from onellm.providers.local_hosts import LOCAL
from onellm.providers.mistral import STATUSES, MistralProvider
from onellm.providers.named import (
    ChatShapedCompletions,
    MistralBatches,
    MistralFileUrls,
    MistralTranscriptions,
    NvidiaRerank,
    Ocr,
    OpenAIBatches,
    OpenAIChat,
    OpenAICompletions,
    OpenAIEmbeddings,
    OpenAIFiles,
    OpenAIImages,
    OpenAIModels,
    OpenAIModerations,
    OpenAIRealtime,
    OpenAIRealtimeTokens,
    OpenAIResponses,
    OpenAISpeech,
    OpenAITranscriptions,
    OpenAITranslations,
    Rerank,
    TogetherChat,
)
from onellm.providers.openai import EDITS, VARIATIONS
from onellm.providers.openai import PROVIDER as OPENAI
from onellm.providers.quirks import (
    MAX_TOKENS,
    NO_JSON_OBJECT,
    NO_SCHEMA,
    NUMBERED,
    OPENAI_ONLY,
    STATELESS,
    WHOLE,
    refuses,
)
from onellm.providers.small_hosts import SMALL

if TYPE_CHECKING:
    from onellm.dialects.protocols import (
        BatchDialect,
        ChatDialect,
        CompletionDialect,
        EmbeddingDialect,
        FileDialect,
        ImageDialect,
        ModelsDialect,
        ModerationDialect,
        RerankDialect,
        ResponseDialect,
        SpeechDialect,
        TranscriptionDialect,
        TranslationDialect,
        UploadDialect,
    )
    from onellm.dialects.realtime import RealtimeDialect


def compatible(
    name: str,
    base_url: str | None = None,
    *,
    key_env: str | tuple[str, ...] = (),
    chat: "ChatDialect | None" = None,
    completions: "CompletionDialect | None" = None,
    responses: "ResponseDialect | None" = None,
    embeddings: "EmbeddingDialect | None" = None,
    transcriptions: "TranscriptionDialect | None" = None,
    translations: "TranslationDialect | None" = None,
    speech: "SpeechDialect | None" = None,
    images: "ImageDialect | None" = None,
    image_edits: "ImageDialect | None" = None,
    image_variations: "ImageDialect | None" = None,
    files: "FileDialect | None" = None,
    uploads: "UploadDialect | None" = None,
    batches: "BatchDialect | None" = None,
    models: "ModelsDialect | None" = None,
    moderations: "ModerationDialect | None" = None,
    rerank: "RerankDialect | None" = None,
    realtime: "RealtimeDialect | None" = None,
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
        chat=chat or OpenAIChat(think_tags=True),
        completions=completions or OpenAICompletions(),
        responses=responses or OpenAIResponses(),
        embeddings=embeddings or OpenAIEmbeddings(),
        transcriptions=transcriptions or OpenAITranscriptions(),
        translations=translations or OpenAITranslations(),
        speech=speech or OpenAISpeech(),
        images=images or OpenAIImages(),
        image_edits=image_edits or OpenAIImages(path=EDITS),
        image_variations=image_variations or OpenAIImages(path=VARIATIONS),
        files=files or OpenAIFiles(),
        uploads=uploads,
        batches=batches or OpenAIBatches(),
        models=models or OpenAIModels(),
        moderations=moderations,
        rerank=rerank,
        realtime=realtime or OpenAIRealtime(lifetime=None),
    )


# Formats of answers, of files that go in, and arguments, that single hosts have or lack.
_JSON_TEXT = frozenset({"json", "text", "verbose_json"})
_JSON_ONLY = frozenset({"json", "verbose_json"})

# Realtime with a session object of its own, and some that OpenAI's has left out.
# https://docs.x.ai/developers/model-capabilities/audio/speech-to-speech
XAI_REALTIME = OpenAIRealtime(
    shape="flat",
    transcriber="grok-transcribe",
    rates=(24_000, 8_000, 16_000, 22_050, 32_000, 44_100, 48_000),
    texts=False,
    truncates=False,
    loses_responses=True,
    lifetime=None,
    refuses={
        "noise_reduction": "it has no such setting",
        "speed": "it has no such setting",
        "max_output_tokens": "it is taken and does nothing",
        "transcribe_only": "it has sessions that answer, and no others",
    },
)
_WHISPER: dict[str, str] = dict.fromkeys(
    ("chunking_strategy", "include", "keywords", "known_speaker_names", "known_speaker_references", "languages"),
    "only OpenAI's own models have it",
)
_FIREWORKS_AUDIO = "https://audio-prod.us-virginia-1.direct.fireworks.ai/v1"
_FIREWORKS_TURBO = "https://audio-turbo.us-virginia-1.direct.fireworks.ai/v1"

_NEVER_EXPIRES = refuses("expires_after")
_KEEPS_OUTPUT = refuses("output_expires_after")

_ROWS = (
    OPENAI,
    HttpProvider(
        name="openai-compatible",
        base_url=None,
        base_url_env=("OPENAI_COMPATIBLE_BASE_URL",),
        key_env=("OPENAI_COMPATIBLE_API_KEY",),
        key_optional=True,
        chat=OpenAIChat(think_tags=True),
        completions=OpenAICompletions(),
        responses=OpenAIResponses(),
        embeddings=OpenAIEmbeddings(),
        transcriptions=OpenAITranscriptions(),
        translations=OpenAITranslations(),
        speech=OpenAISpeech(),
        images=OpenAIImages(),
        image_edits=OpenAIImages(path=EDITS),
        image_variations=OpenAIImages(path=VARIATIONS),
        files=OpenAIFiles(),
        batches=OpenAIBatches(),
        models=OpenAIModels(),
        realtime=OpenAIRealtime(lifetime=None),
        docs="https://platform.openai.com/docs/api-reference",
    ),
    HttpProvider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_env=("OPENROUTER_API_KEY",),
        option_headers={
            "site_url": "HTTP-Referer",
            "app_name": "X-OpenRouter-Title",
            "categories": "X-OpenRouter-Categories",
        },
        chat=OpenAIChat(caching="marks", replay=("reasoning_details",), stream_usage=False),
        completions=OpenAICompletions(stream_usage=False),  # an older route that its docs only mention
        responses=OpenAIResponses(keeps=False, refuses=STATELESS),
        embeddings=OpenAIEmbeddings(),
        transcriptions=OpenAITranscriptions(),
        speech=OpenAISpeech(formats=frozenset({"mp3", "pcm"}), asks_for="mp3"),  # its own default is pcm
        images=OpenAIImages(path="images"),
        files=OpenAIFiles(refuses=_NEVER_EXPIRES),
        models=OpenAIModels(publishes="list"),
        rerank=Rerank(),
        docs="https://openrouter.ai/docs/api-reference",
        notes=(
            "`provider`, `models`, `transforms`, `plugins` and `reasoning` go into `extra_body`.",
            "A model has its vendor in its name: `openrouter/vendor/model`, with suffixes such as `:free` or `:nitro`.",
            "`usage.cost` is in `reply.to_dict()`.",
        ),
    ),
    HttpProvider(
        name="together",
        base_url="https://api.together.ai/v1",
        base_url_env=("TOGETHER_BASE_URL",),
        key_env=("TOGETHER_API_KEY",),
        chat=TogetherChat(renames=MAX_TOKENS, finish={"eos": "stop"}),
        completions=OpenAICompletions(one_prompt=True),
        embeddings=OpenAIEmbeddings(base64=False, refuses=refuses("dimensions")),
        transcriptions=OpenAITranscriptions(formats=_JSON_ONLY, refuses=_WHISPER),
        translations=OpenAITranslations(formats=_JSON_ONLY),
        speech=OpenAISpeech(formats=frozenset({"mp3", "wav", "raw"})),
        images=OpenAIImages(values={"response_format": {"b64_json": "base64"}}),
        files=OpenAIFiles(
            upload_path="files/upload",
            names_file=True,
            purposes={"batch": "batch-api"},
            paging=WHOLE,
            refuses=_NEVER_EXPIRES,
        ),
        batches=OpenAIBatches(
            paging=WHOLE, renames={"model": "model_id"}, refuses=refuses("metadata", "output_expires_after")
        ),
        models=OpenAIModels(publishes="list"),  # a bare array
        rerank=Rerank(),
        docs="https://docs.together.ai/reference",
    ),
    HttpProvider(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        key_env=("GROQ_API_KEY",),
        chat=OpenAIChat(
            think_tags=True,
            caching="automatic",
            refuses=refuses(
                "logprobs",
                "top_logprobs",
                "logit_bias",
                "n",
                "metadata",
                "store",
                "presence_penalty",
                "frequency_penalty",
            ),
            message_names=False,
            stream_usage=False,
            usage_in=("x_groq", "usage"),
            error_in=("x_groq", "error"),
            audio_input=False,
            codes={
                "capacity_exceeded": OverloadedError,
                "tool_use_failed": BadRequestError,
                "json_validate_failed": BadRequestError,
            },
        ),
        responses=OpenAIResponses(
            keeps=False, refuses={**STATELESS, **refuses("include", "safety_identifier", "truncation")}
        ),
        transcriptions=OpenAITranscriptions(formats=_JSON_TEXT, refuses=_WHISPER),
        translations=OpenAITranslations(formats=_JSON_TEXT),
        speech=OpenAISpeech(formats=frozenset({"flac", "mp3", "mulaw", "ogg", "wav"})),
        files=OpenAIFiles(paging=WHOLE, refuses=_NEVER_EXPIRES),
        batches=OpenAIBatches(paging=WHOLE, refuses=_KEEPS_OUTPUT),
        models=OpenAIModels(publishes="list"),
        docs="https://console.groq.com/docs/api-reference",
    ),
    HttpProvider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_env=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
        chat=OpenAIChat(think_tags=True, caching="automatic", renames=MAX_TOKENS),
        completions=OpenAICompletions(),
        responses=OpenAIResponses(cancels=False),
        embeddings=OpenAIEmbeddings(),
        transcriptions=OpenAITranscriptions(
            hosted_at=f"{_FIREWORKS_AUDIO}/audio/transcriptions",
            hosted_models={"whisper-v3-turbo": f"{_FIREWORKS_TURBO}/audio/transcriptions"},
        ),
        translations=OpenAITranslations(
            hosted_at=f"{_FIREWORKS_AUDIO}/audio/translations",
            hosted_models={"whisper-v3-turbo": f"{_FIREWORKS_TURBO}/audio/translations"},
        ),
        models=OpenAIModels(publishes="list"),
        rerank=Rerank(takes_objects=False, always={"return_documents": False}),
        docs="https://docs.fireworks.ai/api-reference",
        notes=("A `max_tokens` that is too large is cut unless `extra_body` has `context_length_exceeded_behavior`.",),
    ),
    HttpProvider(
        name="google-openai",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        chat=OpenAIChat(codes={"RESOURCE_EXHAUSTED": RateLimitError, "UNAVAILABLE": OverloadedError}),
        embeddings=OpenAIEmbeddings(),
        images=OpenAIImages(),
        batches=OpenAIBatches(),  # of files that its native API keeps
        models=OpenAIModels(prefix="models/"),
        docs="https://ai.google.dev/gemini-api/docs/openai",
        notes=("Options of Google alone stand in a literal key `extra_body` of the body, under `google`.",),
    ),
    HttpProvider(
        name="perplexity",
        base_url="https://api.perplexity.ai",
        base_url_env=("PERPLEXITY_BASE_URL",),
        key_env=("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"),
        chat=OpenAIChat(
            think_tags=True,
            renames=MAX_TOKENS,
            refuses=refuses("logprobs", "top_logprobs", "seed", "stop"),
            response_formats=NO_JSON_OBJECT,
            stream_usage=False,
            tools=False,
            audio_input=False,
            citations_in=("search_results", "citations"),
        ),
        responses=OpenAIResponses(path="v1/responses"),
        files=OpenAIFiles(path="v1/files"),
        batches=OpenAIBatches(path="v1/batches", refuses=_KEEPS_OUTPUT),  # of /v1/responses
        models=OpenAIModels(path="v1/models"),  # its vectors are bytes and bits, not floats: no embeddings here
        docs="https://docs.perplexity.ai/api-reference",
        notes=(
            "`search_domain_filter`, `search_recency_filter`, `search_mode` and the like go into `extra_body`.",
            "Its embeddings are signed bytes or packed bits, never floats, and are not served here.",
        ),
    ),
    HttpProvider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        key_env=("DEEPSEEK_API_KEY",),
        chat=OpenAIChat(
            caching="automatic",
            renames=MAX_TOKENS,
            response_formats=NO_SCHEMA,
            audio_input=False,
            flat_text=True,  # only its vision model takes lists
            replay=("reasoning_content",),
            cached_in="prompt_cache_hit_tokens",
        ),
        completions=OpenAICompletions(
            hosted_at="https://api.deepseek.com/beta/completions",
            refuses=refuses("best_of", "logit_bias", "n", "seed", "user"),
            one_prompt=True,
        ),
        responses=OpenAIResponses(keeps=False, refuses=STATELESS),
        models=OpenAIModels(),
        docs="https://api-docs.deepseek.com",
        notes=(
            "Thinking is switched by `thinking` in `extra_body`.",
            "Under `https://api.deepseek.com/beta` as base URL a last message with `prefix` is continued.",
        ),
    ),
    MistralProvider(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        key_env=("MISTRAL_API_KEY",),
        chat=OpenAIChat(
            renames={**MAX_TOKENS, "seed": "random_seed"},
            values={"tool_choice": {"required": "any"}},
            refuses={
                **{name: reason for name, reason in OPENAI_ONLY.items() if name != "prediction"},
                **refuses(
                    "user", "logit_bias", "logprobs", "top_logprobs", "functions", "function_call", "stream_options"
                ),
            },
            stream_usage=False,
            message_names=False,
            audio_as="text",
            tool_id_length=9,
            codes={"3280": BadRequestError},
        ),
        completions=ChatShapedCompletions(  # https://docs.mistral.ai/api/endpoint/fim
            path="fim/completions",
            refuses=refuses(
                "best_of",
                "echo",
                "frequency_penalty",
                "logit_bias",
                "logprobs",
                "n",
                "presence_penalty",
                "stream_options",
                "user",
            ),
            renames={"seed": "random_seed"},
            one_prompt=True,
            stream_usage=False,
            codes={"3280": BadRequestError},
        ),
        embeddings=OpenAIEmbeddings(base64=False, refuses=refuses("user"), renames={"dimensions": "output_dimension"}),
        transcriptions=MistralTranscriptions(
            formats=_JSON_ONLY | {"diarized_json"},
            sends_format=False,
            brackets=False,
            renames={"keywords": "context_bias"},
            refuses=refuses("chunking_strategy", "include", "languages", "prompt"),
        ),
        speech=OpenAISpeech(
            json_answer=True,
            stream_field=("stream", True),
            voice_field="voice_id",
            refuses=refuses("instructions", "speed"),
        ),
        files=OpenAIFiles(paging=NUMBERED, refuses=_NEVER_EXPIRES),
        file_urls=MistralFileUrls(),
        batches=MistralBatches(
            path="batch/jobs",
            lines_have_url=False,
            one_model=True,
            paging=NUMBERED,
            statuses=STATUSES,
            refuses=_KEEPS_OUTPUT,
        ),
        models=OpenAIModels(publishes="item"),
        moderations=OpenAIModerations(
            takes_parts=False,
            chat_path="chat/moderations",
            chat=OpenAIChat(message_names=False, audio_as="text", tool_id_length=9),
        ),
        ocr=Ocr(),
        docs="https://docs.mistral.ai/api",
        notes=("`safe_prompt` and `prompt_mode` go into `extra_body`.",),
    ),
    HttpProvider(
        name="anyscale",
        base_url=None,  # the public service ended on 2024-08-01; a private one has an address of its own
        base_url_env=("ANYSCALE_BASE_URL",),
        key_env=("ANYSCALE_API_KEY",),
        chat=OpenAIChat(think_tags=True),
        completions=OpenAICompletions(),
        embeddings=OpenAIEmbeddings(),
        models=OpenAIModels(),
        docs="https://docs.anyscale.com/llm/serving",
        notes=(
            "The public service ended on 2024-08-01; a private one has an address of its own and speaks as vLLM does.",
        ),
    ),
    HttpProvider(
        name="xai",
        base_url="https://api.x.ai/v1",
        key_env=("XAI_API_KEY",),
        chat=OpenAIChat(
            caching="automatic",
            renames=MAX_TOKENS,
            message_names=False,
            adds_reasoning=True,
            citations_in=("citations",),
        ),
        responses=OpenAIResponses(),
        transcriptions=OpenAITranscriptions(
            path="stt",
            formats=_JSON_ONLY,
            sends_format=False,
            sends_model=False,
            refuses={**_WHISPER, **refuses("prompt", "temperature", "timestamp_granularities")},
        ),
        images=OpenAIImages(),
        image_edits=OpenAIImages(path=EDITS, inline=True),
        files=OpenAIFiles(),
        models=OpenAIModels(),
        realtime=XAI_REALTIME,
        realtime_tokens=OpenAIRealtimeTokens(realtime=XAI_REALTIME, sends_session=False),
        docs="https://docs.x.ai/docs/api-reference",
        notes=("Some models refuse `stop`, the penalties or `reasoning_effort`; the host says so.",),
    ),
    HttpProvider(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        key_env=("CEREBRAS_API_KEY",),
        chat=OpenAIChat(
            caching="automatic", refuses=refuses("n", "presence_penalty", "frequency_penalty"), audio_input=False
        ),
        completions=OpenAICompletions(),
        models=OpenAIModels(),
        docs="https://inference-docs.cerebras.ai/api-reference",
    ),
    HttpProvider(
        name="moonshot",
        base_url="https://api.moonshot.ai/v1",
        base_url_env=("MOONSHOT_API_BASE",),
        key_env=("MOONSHOT_API_KEY",),
        chat=OpenAIChat(
            caching="automatic",
            values={"tool_choice": {"required": None}},
            refuses=refuses("functions", "function_call"),
            audio_input=False,
            replay=("reasoning_content",),
            usage_in=("choices", 0, "usage"),
            cached_in="cached_tokens",
            codes={
                "content_filter": ContentFilterError,
                "engine_overloaded_error": OverloadedError,
                "exceeded_current_quota_error": QuotaExceededError,
                "rate_limit_reached_error": RateLimitError,
            },
        ),
        files=OpenAIFiles(refuses=_NEVER_EXPIRES),
        models=OpenAIModels(),
        docs="https://platform.moonshot.ai/docs/api",
        notes=(
            "Accounts of China have another address: `https://api.moonshot.cn/v1`.",
            "Thinking models take only one `temperature`: leave it out.",
        ),
    ),
    HttpProvider(
        name="zai",
        base_url="https://api.z.ai/api/paas/v4",
        base_url_env=("ZAI_BASE_URL",),
        key_env=("ZAI_API_KEY",),
        chat=OpenAIChat(
            caching="automatic",
            renames=MAX_TOKENS,
            response_formats=NO_SCHEMA,
            replay=("reasoning_content",),
            codes={
                "1113": QuotaExceededError,
                "1211": BadRequestError,
                "1261": ContextLengthExceededError,
                "1301": ContentFilterError,
                "1302": RateLimitError,
                "1303": RateLimitError,
                "1305": RateLimitError,
            },
        ),
        embeddings=OpenAIEmbeddings(base64=False),
        transcriptions=OpenAITranscriptions(),
        images=OpenAIImages(),
        files=OpenAIFiles(),
        batches=OpenAIBatches(),
        models=OpenAIModels(),  # its docs do not say
        docs="https://docs.z.ai/api-reference",
        notes=(
            "Accounts of China have another address, `https://open.bigmodel.cn/api/paas/v4`, and the coding plan has `https://api.z.ai/api/coding/paas/v4`.",
            "`thinking` and `tool_stream` go into `extra_body`.",
        ),
    ),
    HttpProvider(
        name="minimax",
        base_url="https://api.minimax.io/v1",
        key_env=("MINIMAX_API_KEY",),
        chat=OpenAIChat(
            think_tags=True,
            refuses=refuses("n"),
            audio_input=False,
            replay=("content", "reasoning_content", "reasoning_details"),
            base_resp=True,
            codes={
                "1000": InternalServerError,
                "1001": InternalServerError,
                "1002": RateLimitError,
                "1004": AuthenticationError,
                "1008": QuotaExceededError,
                "1026": ContentFilterError,
                "1027": ContentFilterError,
                "1039": ContextLengthExceededError,
                "2013": BadRequestError,
            },
        ),
        responses=OpenAIResponses(),
        models=OpenAIModels(),
        docs="https://platform.minimax.io/docs/api-reference/text-openai-api",
        notes=(
            "Accounts of China have another address: `https://api.minimaxi.com/v1`.",
            "Thinking comes in one field of its own if `extra_body` has `reasoning_split`.",
        ),
    ),
    HttpProvider(
        name="nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        base_url_env=("NVIDIA_BASE_URL", "NVIDIA_NIM_API_BASE"),
        key_env=("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
        chat=OpenAIChat(renames=MAX_TOKENS),
        completions=OpenAICompletions(),
        embeddings=OpenAIEmbeddings(input_types={"query": "query", "document": "passage"}),
        models=OpenAIModels(),
        rerank=NvidiaRerank(
            path="ranking",  # of a NIM container
            hosted_at="https://ai.api.nvidia.com/v1/retrieval/{model}/reranking",
            documents_field="passages",
            wraps_texts=True,
            takes_top_n=False,
        ),
        docs="https://docs.api.nvidia.com/nim/reference/llm-apis",
        notes=("Models for retrieval want the `input_type` of what is embedded.",),
    ),
    HttpProvider(
        name="sambanova",
        base_url="https://api.sambanova.ai/v1",
        base_url_env=("SAMBANOVA_BASE_URL", "SAMBANOVA_API_BASE"),
        key_env=("SAMBANOVA_API_KEY",),
        chat=OpenAIChat(
            renames=MAX_TOKENS,
            refuses=refuses(
                "logprobs", "top_logprobs", "n", "presence_penalty", "frequency_penalty", "logit_bias", "seed"
            ),
            flat_text=True,
            audio_as="audio_content",
        ),
        completions=OpenAICompletions(
            refuses=refuses("logprobs", "n", "presence_penalty", "frequency_penalty", "logit_bias", "seed")
        ),
        responses=OpenAIResponses(),
        embeddings=OpenAIEmbeddings(base64=False),
        transcriptions=OpenAITranscriptions(),
        translations=OpenAITranslations(),
        models=OpenAIModels(),
        docs="https://docs.sambanova.ai/docs/en/api-reference",
    ),
    HttpProvider(
        name="nebius",
        base_url="https://api.tokenfactory.nebius.com/v1",
        key_env=("NEBIUS_API_KEY",),
        chat=OpenAIChat(audio_input=False),
        completions=OpenAICompletions(),
        responses=OpenAIResponses(),
        embeddings=OpenAIEmbeddings(),
        images=OpenAIImages(),
        files=OpenAIFiles(),
        batches=OpenAIBatches(),
        models=OpenAIModels(),
        docs="https://docs.tokenfactory.nebius.com/api-reference",
    ),
    HttpProvider(
        name="deepinfra",
        base_url="https://api.deepinfra.com/v1/openai",
        key_env=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
        chat=OpenAIChat(values={"tool_choice": {"required": None}}),
        completions=OpenAICompletions(),
        embeddings=OpenAIEmbeddings(),
        transcriptions=OpenAITranscriptions(),
        translations=OpenAITranslations(),
        speech=OpenAISpeech(),
        images=OpenAIImages(),
        image_edits=OpenAIImages(path=EDITS),
        models=OpenAIModels(),
        rerank=Rerank(
            path="inference/{model}",
            hosted_at="https://api.deepinfra.com/v1/inference/{model}",
            query_field="queries",
            repeats_query=True,
            takes_objects=False,
            model_in_body=False,
            takes_top_n=False,
        ),
        docs="https://deepinfra.com/docs/openai_api",
    ),
    HttpProvider(
        name="github",
        base_url="https://models.github.ai/inference",
        key_env=("GITHUB_TOKEN", "GITHUB_API_KEY"),
        chat=OpenAIChat(
            codes={
                "RateLimitReached": RateLimitError,
                "no_access": PermissionDeniedError,
                "tokens_limit_reached": ContextLengthExceededError,
            }
        ),
        embeddings=OpenAIEmbeddings(),
        models=OpenAIModels(
            path="catalog/models", hosted_at="https://models.github.ai/catalog/models", publishes="list"
        ),
        docs="https://docs.github.com/en/rest/models/inference",
        notes=("An organization that pays has another address: `https://models.github.ai/orgs/{org}/inference`.",),
    ),
    HttpProvider(
        name="vercel",
        base_url="https://ai-gateway.vercel.sh/v1",
        key_env=("AI_GATEWAY_API_KEY", "VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
        option_headers={"site_url": "HTTP-Referer", "app_name": "X-Title"},
        chat=OpenAIChat(replay=("reasoning_details",)),
        responses=OpenAIResponses(),
        embeddings=OpenAIEmbeddings(),
        models=OpenAIModels(publishes="list"),
        docs="https://vercel.com/docs/ai-gateway/openai-compat",
        notes=("Routing goes into `extra_body` as `providerOptions`, under `gateway`.",),
    ),
    HttpProvider(
        name="cloudflare",
        base_url="https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1",
        key_env=("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
        option_env={"account_id": "CLOUDFLARE_ACCOUNT_ID"},
        chat=OpenAIChat(),
        responses=OpenAIResponses(),
        embeddings=OpenAIEmbeddings(base64=False),
        docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
        notes=("It has no list of models under this address.",),
    ),
)

ROWS = {row.name: row for row in (*_ROWS, *LOCAL, *SMALL)}
"""All rows by their names."""
