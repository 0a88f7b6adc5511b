"""Text Embeddings Inference by its own routes, for servers and endpoints without OpenAI's."""

from onellm.dialects.huggingface.tasks import FeatureExtraction
from onellm.dialects.rerank import Rerank
from onellm.providers.http import HttpProvider

PROVIDER = HttpProvider(
    name="tei-embed",
    base_url=None,  # the server's root
    base_url_env=("TEI_EMBED_BASE_URL",),
    key_env=("HF_TOKEN",),
    key_optional=True,
    embeddings=FeatureExtraction(),
    rerank=Rerank(documents_field="texts", takes_objects=False, model_in_body=False, takes_top_n=False),
    docs="https://huggingface.co/docs/text-embeddings-inference",
    notes=('Its own arguments go in `extra_body`: `{"truncate": true, "normalize": false, "prompt_name": "query"}`.',),
)
