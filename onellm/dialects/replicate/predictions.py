"""Predictions: a model's run, asked for, looked at again until it has ended, and read.

https://replicate.com/docs/reference/http
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Outputs are JSON of any shape, taken apart by patterns that prove what they use.

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.replicate.schema import ModelSchema
from onellm.errors import (
    APIStatusError,
    ConflictError,
    ContentFilterError,
    InternalServerError,
    InvalidRequestError,
    ResponseDecodeError,
)
from onellm.types.base import Answer
from onellm.types.files import Form, InputFile

ENDED = frozenset({"succeeded", "failed", "canceled", "aborted"})
# A run's own error codes, which stand in its error text, that mean more than a failure.
CODES: dict[str, type[APIStatusError]] = {"E005": ContentFilterError}
LONGEST_WAIT = 60  # seconds that the host holds an answer back for a run's end

_CODE = re.compile(r"^(E\d{3,4})\b|\((?:code: )?(E\d{3,4})\)")
_MODEL = re.compile(r"^(?:(deployments)/)?([^/:]+)/([^/:]+)(?::([^/:]+))?$")
_LONGEST_TEXT = 500
_WHAT = "a prediction"


class Prediction(Answer, kw_only=True, gc=False):
    """One run. output and error are JSON of any shape; metrics are numbers by their names."""

    id: str = ""
    status: str = ""
    output: Any = None
    error: Any = None
    metrics: dict[str, Any] | None = None
    urls: dict[str, Any] | None = None
    created_at: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def stream_url(self) -> str | None:
        """Where its output comes piece by piece; None where the model does not stream."""
        found = (self.urls or {}).get("stream")
        return found if isinstance(found, str) else None

    def count(self, name: str) -> int:
        """A count among the metrics; 0 where it is not there."""
        found = (self.metrics or {}).get(name)
        return int(found) if isinstance(found, int | float) else 0


class Upload(Answer, kw_only=True, gc=False):
    """A file that the host keeps for its runs."""

    id: str = ""
    urls: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(Prediction, strict=False).decode


class Predictions(Struct, frozen=True, kw_only=True):
    """The API of runs, whatever the model does. Fields are a host's quirks; the defaults are its inventor's."""

    prefix: str = "v1"
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_schema(self, model: str) -> HttpRequest:
        """The request for a model with what it takes; for a deployment, with what it runs.

        Raises:
            InvalidRequestError: the name has another form than `split` reads.
        """
        named = split(model)
        path = f"{self.prefix}/{named.path}"
        return HttpRequest(path=f"{path}/versions/{named.version}" if named.version else path, method="GET")

    def encode_create(
        self, model: str, schema: ModelSchema, body: Mapping[str, Any], *, wait: int = 0, stream: bool = False
    ) -> HttpRequest:
        """The request that begins a run; `wait` is how many seconds the answer may be held back for its end."""
        named = split(model)
        version = None if named.deployment else named.version or schema.version
        path = f"{self.prefix}/predictions" if version else f"{self.prefix}/{named.path}/predictions"
        sent: dict[str, Any] = {"version": version} if version else {}
        sent.update(body)
        if stream:
            sent["stream"] = True
        headers = {} if wait < 1 else {"Prefer": "wait" if wait >= LONGEST_WAIT else f"wait={wait}"}
        return HttpRequest(path=path, body=encode_json(sent), headers=headers)

    def encode_get(self, prediction_id: str) -> HttpRequest:
        return HttpRequest(path=f"{self.prefix}/predictions/{quote(prediction_id, safe='')}", method="GET")

    def encode_cancel(self, prediction_id: str) -> HttpRequest:
        return HttpRequest(path=f"{self.prefix}/predictions/{quote(prediction_id, safe='')}/cancel")

    def encode_upload(self, file: InputFile) -> HttpRequest:
        return HttpRequest(path=f"{self.prefix}/files", form=Form(files=(("content", file),)))

    def decode_upload(self, body: bytes) -> Upload:
        return lenient.convert(lenient.decode_json(body, "a file"), Upload, "a file")

    def decode(self, body: bytes) -> Prediction:
        """A run as it is now.

        Raises:
            ResponseDecodeError: it is none.
        """
        try:
            found = _decode(body)
        except DECODE_ERRORS:
            found = lenient.convert(lenient.decode_json(body, _WHAT), Prediction, _WHAT)
        if not found.id or not found.status:
            raise ResponseDecodeError("not a prediction: it has no id or no status", body=body)
        found.raw = body
        return found

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)

    def failure(self, prediction: Prediction) -> APIStatusError | None:
        """The exception for a run that has ended without success; None for one that succeeded, or goes on.

        The run itself failed: the same call again would be paid for again, so it is not retryable.
        """
        if prediction.status in {"canceled", "aborted"}:
            return self.canceled(prediction.status, prediction.raw)
        if prediction.status != "failed":
            return None
        return self.run_error(prediction.error, prediction.raw)

    def canceled(self, status: str, body: bytes) -> APIStatusError:
        """The exception for a run that somebody, or the host, has ended."""
        error = ConflictError(f"the prediction was {status}", code=status, status_code=200, body=body)
        error.retryable = False
        return error

    def run_error(self, said: Any, body: bytes) -> APIStatusError:
        """The exception for the error text of a run."""
        text = _text(said)
        found = _CODE.search(text)
        code = (found[1] or found[2]) if found else None
        cls = self.codes.get(code or "", InternalServerError)
        error = cls(text, code=code or "failed", status_code=200, body=body)
        error.retryable = False
        return error


class Named(Struct, frozen=True, kw_only=True):
    """What a name says, each part ready for a path. A deployment runs the version that its owner gave it."""

    owner: str
    name: str
    version: str | None = None
    deployment: bool = False

    @property
    def path(self) -> str:
        return f"{'deployments' if self.deployment else 'models'}/{self.owner}/{self.name}"


def split(model: str) -> Named:
    """Read `owner/name`, `owner/name:version` or `deployments/owner/name`.

    Raises:
        InvalidRequestError: the name has another form.
    """
    found = _MODEL.match(model)
    if found is None or (found[1] and found[4]):
        raise InvalidRequestError(
            f"model must be owner/name, owner/name:version or deployments/owner/name, not {model!r}", param="model"
        )
    deployed, owner, name, version = (quote(part, safe="") if part else part for part in found.groups())
    return Named(owner=owner, name=name, version=version, deployment=bool(deployed))


def _text(said: Any) -> str:
    match said:
        case str() if said:
            return said
        case {"detail": str() as text} if text:
            return text
        case None | "":
            return "the prediction failed and does not say why: its logs may"
        case _:
            return msgspec.json.encode(said).decode()[:_LONGEST_TEXT]
