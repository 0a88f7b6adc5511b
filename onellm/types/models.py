"""The list of models. https://platform.openai.com/docs/api-reference/models"""

from onellm.types.base import Answer
from onellm.types.chat import Seconds
from onellm.types.request import Request


class ModelInfo(Answer, kw_only=True, gc=False):
    """A model that a provider serves; `raw` and `model_extra` hold what else the provider says of it."""

    id: str = ""
    object: str = "model"
    created: Seconds = 0
    owned_by: str = ""


class ModelDeleted(Answer, kw_only=True, gc=False):
    """That a model is gone."""

    id: str = ""
    deleted: bool = False
    object: str = "model"


class PullProgress(Answer, kw_only=True, gc=False):
    """How far a pull is. A model comes in layers, one after another or several at once.

    status:     what is being done, in the provider's words; "success" at the end
    digest:     the layer that `total` and `completed` are of; None between layers
    total:      bytes of that layer
    completed:  bytes of it that are here; may go back where a piece is fetched anew
    """

    status: str = ""
    digest: str | None = None
    total: int | None = None
    completed: int | None = None


class PullRequest(Request, kw_only=True, gc=False):
    """A model to be fetched."""
