"""Rows of hosts of which the address and the key's variable are known, and that they speak Chat Completions.

What else they serve is not known here: name them with an `openai-compatible` base URL to reach it.
"""

from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.models import OpenAIModels
from onellm.providers.http import HttpProvider
from onellm.providers.quirks import MAX_TOKENS

_CHAT = OpenAIChat()
_OLD_LIMIT = OpenAIChat(renames=MAX_TOKENS)
_MODELS = OpenAIModels()

SMALL = (
    HttpProvider(
        name="meta",
        base_url="https://api.meta.ai/v1",
        key_env=("META_API_KEY", "META_MODEL_API_KEY"),
        chat=_CHAT,
        models=_MODELS,
        docs="https://dev.meta.ai/docs",
    ),
    HttpProvider(
        name="inception",
        base_url="https://api.inceptionlabs.ai/v1",
        key_env=("INCEPTION_API_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://docs.inceptionlabs.ai",
    ),
    HttpProvider(
        name="scaleway",
        base_url="https://api.scaleway.ai/v1",
        key_env=("SCW_SECRET_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://www.scaleway.com/en/docs/generative-apis",
    ),
    HttpProvider(
        name="venice",
        base_url="https://api.venice.ai/api/v1",
        key_env=("VENICE_AI_API_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://docs.venice.ai",
    ),
    HttpProvider(
        name="poe",
        base_url="https://api.poe.com/v1",
        key_env=("POE_API_KEY",),
        chat=_OLD_LIMIT,
        models=_MODELS,
        docs="https://creator.poe.com/docs",
    ),
    HttpProvider(
        name="chutes",
        base_url="https://llm.chutes.ai/v1",
        key_env=("CHUTES_API_KEY",),
        chat=_OLD_LIMIT,
        models=_MODELS,
        docs="https://chutes.ai/docs",
    ),
    HttpProvider(
        name="gmi",
        base_url="https://api.gmi-serving.com/v1",
        key_env=("GMI_API_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://docs.gmicloud.ai",
    ),
    HttpProvider(
        name="parasail",
        base_url="https://api.parasail.io/v1",
        key_env=("PARASAIL_API_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://docs.parasail.io",
    ),
    HttpProvider(
        name="helicone",
        base_url="https://ai-gateway.helicone.ai",
        key_env=("HELICONE_API_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://docs.helicone.ai",
    ),
    HttpProvider(
        name="nano-gpt",
        base_url="https://nano-gpt.com/api/v1",
        key_env=("NANOGPT_API_KEY",),
        chat=_OLD_LIMIT,
        models=_MODELS,
        docs="https://docs.nano-gpt.com",
    ),
    HttpProvider(
        name="xiaomi",
        base_url="https://api.xiaomimimo.com/v1",
        key_env=("XIAOMI_MIMO_API_KEY",),
        chat=_OLD_LIMIT,
        models=_MODELS,
        docs="https://platform.xiaomimimo.com",
    ),
    HttpProvider(
        name="sarvam",
        base_url="https://api.sarvam.ai/v1",
        key_env=("SARVAM_API_KEY",),
        chat=_OLD_LIMIT,
        models=_MODELS,
        docs="https://docs.sarvam.ai",
    ),
    HttpProvider(
        name="synthetic",
        base_url="https://api.synthetic.new/openai/v1",
        key_env=("SYNTHETIC_API_KEY",),
        chat=_OLD_LIMIT,
        models=_MODELS,
        docs="https://dev.synthetic.new/docs",
    ),
    HttpProvider(
        name="aihubmix",
        base_url="https://aihubmix.com/v1",
        key_env=("AIHUBMIX_API_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://docs.aihubmix.com",
    ),
    HttpProvider(
        name="crusoe",
        base_url="https://managed-inference-api-proxy.crusoecloud.com/v1",
        key_env=("CRUSOE_API_KEY",),
        chat=_OLD_LIMIT,
        models=_MODELS,
        docs="https://docs.crusoecloud.com",
    ),
    HttpProvider(
        name="publicai",
        base_url="https://api.publicai.co/v1",
        key_env=("PUBLICAI_API_KEY",),
        chat=OpenAIChat(renames=MAX_TOKENS, flat_content=True, vision=False, audio_input=False),
        models=_MODELS,
        docs="https://platform.publicai.co/docs",
    ),
    HttpProvider(
        name="reka",
        base_url="https://api.reka.ai/v1",
        key_env=("REKA_API_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://docs.reka.ai",
    ),
    HttpProvider(
        name="assemblyai",
        base_url="https://llm-gateway.assemblyai.com/v1",
        key_env=("ASSEMBLYAI_API_KEY",),
        chat=_CHAT,
        models=_MODELS,
        docs="https://www.assemblyai.com/docs/llm-gateway",
    ),
)
