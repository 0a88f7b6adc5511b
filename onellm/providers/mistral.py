"""Mistral: where the results of its batches are.

https://docs.mistral.ai/api/endpoint/batch
"""

from typing import TYPE_CHECKING, cast

from onellm.errors import OneLLMError
from onellm.providers.answers import Held, locate
from onellm.providers.base import Call
from onellm.providers.http import HttpProvider
from onellm.providers.protocols import Binary

if TYPE_CHECKING:
    from onellm.providers.mistral_dialects import MistralBatches
    from onellm.types.batches import Batch

STATUSES = {
    "QUEUED": "validating",
    "RUNNING": "in_progress",
    "SUCCESS": "completed",
    "TIMEOUT_EXCEEDED": "expired",
    "CANCELLATION_REQUESTED": "cancelling",
}


class MistralProvider(HttpProvider, frozen=True, kw_only=True):
    """The results of a batch whose requests came in no file are asked for with the batch."""

    async def open_batch_results(self, batch: "Batch", call: Call) -> Binary:
        dialect = cast("MistralBatches", self.batches)
        try:
            response = await self._send(dialect, dialect.encode_results(batch), call)
            return Held(self.name, dialect.split_results(response.body))
        except OneLLMError as exc:
            locate(exc, self.name, None)
