"""Text Generation Inference by its own routes, for servers and endpoints without OpenAI's."""

from onellm.dialects.huggingface.generate import Generate
from onellm.providers.http import HttpProvider

PROVIDER = HttpProvider(
    name="tgi-generate",
    base_url=None,  # the server's root
    base_url_env=("TGI_GENERATE_BASE_URL",),
    key_env=("HF_TOKEN",),
    key_optional=True,
    completions=Generate(),
    docs="https://huggingface.co/docs/text-generation-inference/reference/api_reference",
    notes=(
        "For servers that have no `/v1`: `tgi` is for those that do. A prompt is sent as it is, without a template.",
        'A grammar goes in `extra_body={"parameters": {"grammar": {"type": "json", "value": {…}}}}`.',
    ),
)
