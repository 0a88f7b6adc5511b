"""Files of results, written as they come, and under their name when they are whole."""

import os
import sys
from array import array
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import msgspec

from onellm.cli.rows import parquet
from onellm.errors import ConfigurationError
from onellm.types.pipelines import ChatResult, EmbeddingBatch

_NPY_HEAD = 128  # bytes; the shape is known at the end, so it has room


class Sheet(Protocol):
    """What rows are written to."""

    def write(self, given: Any) -> None: ...
    def finish(self) -> None: ...


class Output:
    """A file that is there when it is whole: until then it has another name, and goes with an error."""

    def __init__(self, path: Path, sheets: dict[str, Any]) -> None:
        """sheets: by suffix, what makes the sheet of an open file.

        Raises:
            ConfigurationError: no sheet has that suffix, or the file cannot be written.
        """
        make = sheets.get(path.suffix.lower())
        if make is None:
            raise ConfigurationError(f"--output {path}: its name must end in {' or '.join(sorted(sheets))}")
        self._path = path
        self._part = path.with_name(path.name + ".part")
        try:
            self._file = self._part.open("wb")
        except OSError as exc:
            raise ConfigurationError(f"--output {path} cannot be written: {exc.strerror}") from exc
        try:
            self.sheet: Sheet = make(self._file)
        except BaseException:
            self._leave()
            raise

    def finish(self) -> None:
        """Put the file under its name."""
        self.sheet.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self._leave()

    def _leave(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


class _Rows:
    """Embeddings' rows with their failures at their places; those before the first vector wait for its length."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.dimensions = 0
        self._waiting: list[EmbeddingBatch] = []

    def write(self, batch: EmbeddingBatch) -> None:
        if not self.dimensions and batch.ids:
            self.dimensions = batch.vectors.shape[1]
            for earlier in self._waiting:
                self.put(earlier, *merged(earlier))
            self._waiting.clear()
        if self.dimensions:
            self.put(batch, *merged(batch))
        else:
            self._waiting.append(batch)

    def finish(self) -> None:
        if not self.dimensions:
            raise ConfigurationError("there is no vector to write: no input was embedded")

    def put(self, batch: EmbeddingBatch, ids: list[Any], errors: list[str | None]) -> None:
        """Write a batch: of each of its inputs the id, and the error where it has no vector."""
        raise NotImplementedError  # each format writes its own rows


def merged(batch: EmbeddingBatch) -> tuple[list[Any], list[str | None]]:
    """The ids of all inputs of a batch, and the errors of those that failed, in their order."""
    failed = {failure.index - batch.start: failure for failure in batch.failures}
    ids = iter(batch.ids)
    count = len(batch.ids) + len(failed)
    return (
        [failed[row].id if row in failed else next(ids) for row in range(count)],
        [str(failed[row].error) if row in failed else None for row in range(count)],
    )


class NpyVectors(_Rows):
    """An (n, d) array of numpy's: row i is that of input i, of NaN where it failed.

    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._count = 0
        file.write(bytes(_NPY_HEAD))

    def put(self, batch: EmbeddingBatch, ids: list[Any], errors: list[str | None]) -> None:
        self._count += len(ids)
        if not any(errors):
            self.file.write(_little(batch.vectors))
            return
        width = 4 * self.dimensions
        vectors = memoryview(_little(batch.vectors))
        missing = _little(array("f", [float("nan")] * self.dimensions))
        place = 0
        for error in errors:
            self.file.write(missing if error is not None else vectors[place : place + width])
            place += 0 if error is not None else width

    def finish(self) -> None:
        super().finish()
        shape = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({self._count}, {self.dimensions}), }}"
        room = _NPY_HEAD - 10
        self.file.seek(0)
        self.file.write(b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little") + shape.ljust(room - 1).encode() + b"\n")


class JsonVectors(_Rows):
    """A line for each input: its id, and its vector or its error."""

    def put(self, batch: EmbeddingBatch, ids: list[Any], errors: list[str | None]) -> None:
        vectors = iter(batch.vectors.tolist())
        for own_id, error in zip(ids, errors, strict=True):
            if error is not None:
                self.file.write(msgspec.json.encode({"id": own_id, "error": error}) + b"\n")
                continue
            numbers = ",".join([f"{number:.9g}" for number in next(vectors)])  # as many digits as float32 has
            self.file.write(b'{"id":%b,"embedding":[%b]}\n' % (msgspec.json.encode(own_id), numbers.encode()))


class ParquetVectors(_Rows):
    """Columns index, id, vector (float32, null where it failed) and error."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._parquet = parquet()
        self._arrow: Any = import_module("pyarrow")
        self._writer: Any = None

    def put(self, batch: EmbeddingBatch, ids: list[Any], errors: list[str | None]) -> None:
        import numpy as np  # noqa: PLC0415 - of the same extra

        arrow = self._arrow
        kind = arrow.list_(arrow.float32(), self.dimensions)
        if self._writer is None:
            columns = [("index", arrow.int64()), ("id", arrow.string()), ("vector", kind), ("error", arrow.string())]
            self._writer = self._parquet.ParquetWriter(self.file, arrow.schema(columns))
        failed = np.array([error is not None for error in errors], dtype=bool)
        rows = np.zeros((len(ids), self.dimensions), dtype=np.float32)
        rows[~failed] = batch.vectors
        vectors = arrow.FixedSizeListArray.from_arrays(
            arrow.array(rows.reshape(-1)), type=kind, mask=arrow.array(failed)
        )
        indexes = arrow.array(range(batch.start, batch.start + len(ids)), arrow.int64())
        texts = arrow.array([str(own_id) for own_id in ids], arrow.string())
        table = [indexes, texts, vectors, arrow.array(errors, arrow.string())]
        self._writer.write_batch(arrow.record_batch(table, schema=self._writer.schema))

    def finish(self) -> None:
        super().finish()
        self._writer.close()


class JsonAnswers:
    """A line for each request: its index and id, and its answer or its error."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, result: ChatResult) -> None:
        found: dict[str, Any] = {"index": result.index, "id": result.id}
        if result.response is None:
            found["error"] = str(result.error)
        else:
            found |= {"content": content(result), "response": result.response.to_dict()}
        self._file.write(msgspec.json.encode(found) + b"\n")

    def finish(self) -> None:
        """Lines need no end."""


class ParquetAnswers:
    """Columns index, id, content, finish_reason, prompt_tokens, completion_tokens and error."""

    _AT_ONCE = 1024  # rows of a group

    def __init__(self, file: BinaryIO) -> None:
        arrow: Any = import_module("pyarrow") if parquet() else None
        self._arrow = arrow
        text, number = arrow.string(), arrow.int64()
        names = ("index", "id", "content", "finish_reason", "prompt_tokens", "completion_tokens", "error")
        kinds = (number, text, text, text, number, number, text)
        self._writer: Any = parquet().ParquetWriter(file, arrow.schema(list(zip(names, kinds, strict=True))))
        self._rows: list[dict[str, Any]] = []

    def write(self, result: ChatResult) -> None:
        row: dict[str, Any] = {"index": result.index, "id": str(result.id)}
        if result.response is None:
            row["error"] = str(result.error)
        else:
            usage = result.response.usage
            row["content"] = content(result)
            row["finish_reason"] = result.response.choices[0].finish_reason if result.response.choices else None
            row["prompt_tokens"] = usage.prompt_tokens if usage else None
            row["completion_tokens"] = usage.completion_tokens if usage else None
        self._rows.append(row)
        if len(self._rows) == self._AT_ONCE:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_batch(self._arrow.RecordBatch.from_pylist(self._rows, schema=self._writer.schema))
            self._rows = []


VECTORS = {".npy": NpyVectors, ".jsonl": JsonVectors, ".parquet": ParquetVectors}
ANSWERS = {".jsonl": JsonAnswers, ".parquet": ParquetAnswers}


def content(result: ChatResult) -> str | None:
    """The text of the first choice."""
    choices = result.response.choices if result.response is not None else []
    return choices[0].message.content if choices else None


def _little(numbers: Any) -> bytes:
    """float32 as bytes, little-endian as files have it."""
    data = memoryview(numbers).tobytes()
    if sys.byteorder == "little":
        return data
    swapped = array("f", data)
    swapped.byteswap()
    return swapped.tobytes()
