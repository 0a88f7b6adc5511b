"""Options of Converse beyond OpenAI's shape.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class BedrockOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only Converse takes: `create(..., bedrock=BedrockOptions(fields={"top_k": 5}))`.

    fields:  `additionalModelRequestFields`: arguments of the model's own
    """

    fields: Mapping[str, Any] | None = None
