"""Files of the Hugging Face hub, named `hf:owner/repo/file.gguf`, or `hf:owner/repo@revision/file.gguf`.

https://huggingface.co/docs/huggingface_hub/guides/download
"""

import importlib
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from onellm.errors import InvalidRequestError
from onellm.providers._gguf_parts import all_parts

SCHEME = "hf:"
_MISSING = (
    '{name} needs huggingface-hub: pip install "onellm[hub]"; or fetch the file with `onellm download {name}` '
    "and give its path"
)


class HubFile(Struct, frozen=True):
    """A file of a repository."""

    repo: str
    file: str
    revision: str = "main"

    @property
    def path(self) -> str:
        """Of its URL, behind the hub's address."""
        return f"{self.repo}/resolve/{quote(self.revision, safe='')}/{quote(self.file)}"


class HubMissingError(RuntimeError):
    """huggingface-hub is not installed."""


class HubError(RuntimeError):
    """The hub does not give the file. `status` is that of its refusal; None where it gave no answer."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


def parse_hub(name: str) -> HubFile:
    """Owner, repository, revision and file of a name.

    Raises:
        InvalidRequestError: it is no such name; says the form.
    """
    owner, _, rest = name.removeprefix(SCHEME).partition("/")
    repo, _, file = rest.partition("/")
    repo, at, revision = repo.partition("@")
    steps = file.split("/")
    if (
        not owner
        or not repo
        or not file
        or not all(steps)
        or {".", ".."} & {owner, repo, *steps}
        or (at and not revision)
    ):
        raise InvalidRequestError(
            f"{name!r} names no file of the hub: write hf:owner/repo/file.gguf, or hf:owner/repo@revision/file.gguf",
            param="model",
        )
    return HubFile(f"{owner}/{repo}", file, revision or "main")


def fetch(name: str) -> Path:
    """The file in the hub's cache, fetched where it is not there, with the other parts of its model; blocks until then.

    Raises:
        InvalidRequestError: it is no such name.
        HubMissingError: huggingface-hub is not installed.
        HubError: the hub does not give it; says why.
    """
    file = parse_hub(name)
    with _lock:
        known = _fetched.get(name)
        if known is not None and known.exists():
            return known
        hub = _hub(name)
        try:
            paths = [hub.hf_hub_download(file.repo, part, revision=file.revision) for part in all_parts(file.file)]
        except Exception as exc:
            why = " ".join(str(exc).split())
            status = getattr(getattr(exc, "response", None), "status_code", None)
            raise HubError(f"the hub does not give {name}: {type(exc).__name__}: {why}", status) from exc
        _fetched[name] = path = Path(paths[0])
        return path


def cached(name: str) -> Path | None:
    """The file, where this process has fetched it before; costs no look into the hub's cache."""
    known = _fetched.get(name)
    return known if known is not None and known.exists() else None


def in_cache(name: str) -> bool:
    """Whether the hub's cache has the file, with the other parts of its model; reads the disk.

    Raises:
        InvalidRequestError: it is no such name.
        HubMissingError: huggingface-hub is not installed.
    """
    file = parse_hub(name)
    hub = _hub(name)
    found = (hub.try_to_load_from_cache(file.repo, part, revision=file.revision) for part in all_parts(file.file))
    return all(isinstance(path, str) for path in found)


def _hub(name: str) -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as exc:
        raise HubMissingError(_MISSING.format(name=name)) from exc


_lock = threading.Lock()
_fetched: dict[str, Path] = {}
