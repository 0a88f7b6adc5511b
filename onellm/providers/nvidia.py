"""NVIDIA's hosted models: reranking with an address for each model.

https://docs.api.nvidia.com/nim/reference/retrieval-apis
"""

from onellm.dialects.rerank import Rerank


class NvidiaRerank(Rerank, frozen=True, kw_only=True):
    """The hosted address spells the dots of the model's name as underscores; the body does not."""

    def addresses(self, model: str) -> tuple[str, str]:
        path, _ = super().addresses(model)
        return path, super().addresses(model.replace(".", "_"))[1]
