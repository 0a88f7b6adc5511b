"""Mistral: batches of its own shape. https://docs.mistral.ai/api/endpoint/batch"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

import re
from typing import Any

from onellm.dialects.openai.batches import OpenAIBatches
from onellm.errors import InvalidRequestError
from onellm.types.batches import BatchCreateRequest

_HOURS = re.compile(r"^(\d+)h$")
_DAYS = re.compile(r"^(\d+)d$")
STATUSES = {
    "QUEUED": "validating",
    "RUNNING": "in_progress",
    "SUCCESS": "completed",
    "TIMEOUT_EXCEEDED": "expired",
    "CANCELLATION_REQUESTED": "cancelling",
}
_NAMES = {"output_file": "output_file_id", "error_file": "error_file_id", "started_at": "in_progress_at"}


class MistralBatches(OpenAIBatches, frozen=True, kw_only=True):
    """A batch has one model for all its requests, several input files, and hours instead of a window."""

    def encode_params(self, request: BatchCreateRequest) -> dict[str, Any]:
        body = super().encode_params(request)
        window = body.pop("completion_window")
        hours, days = _HOURS.match(window), _DAYS.match(window)
        if not hours and not days:
            raise InvalidRequestError(
                f'completion_window: hours or days such as "24h", not {window!r}', param="completion_window"
            )
        body["input_files"] = [body.pop("input_file_id")]
        body["timeout_hours"] = int(hours[1]) if hours else 24 * int(days[1]) if days else 24
        return body

    def normalise(self, value: dict[str, Any]) -> dict[str, Any]:
        plain = dict(value)
        for theirs, ours in _NAMES.items():
            plain[ours] = plain.pop(theirs, None)
        inputs = plain.pop("input_files", None)
        plain["input_file_id"] = inputs[0] if isinstance(inputs, list) and inputs else ""
        failures = plain.get("errors")
        plain["errors"] = {"data": failures} if isinstance(failures, list) and failures else None
        # Its completed_requests are those that are done, failed ones among them.
        plain["request_counts"] = {
            "total": plain.get("total_requests"),
            "completed": plain.get("succeeded_requests"),
            "failed": plain.get("failed_requests"),
        }
        return plain
