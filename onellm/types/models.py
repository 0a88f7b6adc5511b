"""The list of models. https://platform.openai.com/docs/api-reference/models"""

from onellm.types.base import Answer
from onellm.types.chat import Seconds


class ModelInfo(Answer, kw_only=True, gc=False):
    """A model that a provider serves; `raw` and `model_extra` hold what else the provider says of it."""

    id: str = ""
    object: str = "model"
    created: Seconds = 0
    owned_by: str = ""
