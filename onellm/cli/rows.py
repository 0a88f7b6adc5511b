"""Files of inputs: JSON Lines, CSV, Parquet and text, read row by row."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# Rows of any shape are taken apart here.

import csv
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from onellm.errors import ConfigurationError, InvalidRequestError, MissingDependencyError

Format = Literal["jsonl", "csv", "tsv", "parquet", "text"]
FORMATS: tuple[Format, ...] = ("jsonl", "csv", "tsv", "parquet", "text")
_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_LONGEST_FIELD = 2**31 - 1  # csv's own limit is 128 KiB
_AT_ONCE = 1024

_decode = msgspec.json.Decoder().decode


class Input(Struct, frozen=True):
    """A file of rows, or with the name "-" standard input."""

    name: str
    format: Format

    def rows(self) -> Iterator[Any]:
        """Its rows: dicts by the names of columns, of JSON whatever a line is, of text the line. Blank lines are none.

        Raises:
            ConfigurationError: the file cannot be read.
            InvalidRequestError: a line is not what it should be; says which.
        """
        with ExitStack() as stack:
            if self.format == "parquet":
                yield from _parquet(self.name)
                return
            source = self._open(stack)
            if self.format in ("csv", "tsv"):
                yield from _table(source, "\t" if self.format == "tsv" else ",")
                return
            for number, line in enumerate(source, 1):
                stripped = line.strip(b"\r\n \t")
                if stripped and self.format == "jsonl":
                    yield self._json(stripped, number)
                elif stripped:
                    yield line.rstrip(b"\r\n").decode("utf-8", "replace")

    def count(self) -> int | None:
        """How many rows there are; None of standard input, which can be read once."""
        if self.name == "-":
            return None
        if self.format == "parquet":
            return int(_open_parquet(self.name).metadata.num_rows)
        with ExitStack() as stack:
            source = self._open(stack)
            if self.format in ("csv", "tsv"):
                return sum(1 for _ in _table(source, "\t" if self.format == "tsv" else ","))
            return sum(1 for line in source if line.strip())

    def _open(self, stack: ExitStack) -> BinaryIO:
        if self.name == "-":
            try:  # a thread that waits in sys.stdin itself would be in the way of the interpreter's exit
                return stack.enter_context(os.fdopen(sys.stdin.fileno(), "rb", closefd=False))
            except OSError:  # no file, as in a notebook
                return sys.stdin.buffer
        try:
            return stack.enter_context(Path(self.name).open("rb"))
        except OSError as exc:
            raise ConfigurationError(f"{self.name} cannot be read: {exc.strerror}") from exc

    def _json(self, line: bytes, number: int) -> Any:
        try:
            return _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise InvalidRequestError(f"{self.name}, line {number}: no JSON: {exc}") from exc


def find_input(name: str, given: Format | None) -> Input:
    """A file by its name, in the format that its suffix or `given` says; anything else is text.

    Raises:
        ConfigurationError: there is no such file.
    """
    if name != "-" and not Path(name).is_file():
        raise ConfigurationError(f"there is no file {name}")
    return Input(name, given or _SUFFIXES.get(Path(name).suffix.lower(), "text"))


def field_of(row: Any, field: str, place: int, name: str) -> Any:
    """One field of a row; a row that is a text is its own.

    Raises:
        InvalidRequestError: the first row lacks it, so that its name is wrong; of others it is None.
    """
    if not isinstance(row, dict):
        return row
    if field not in row and place == 0:
        there = ", ".join(map(str, row)) or "nothing"
        raise InvalidRequestError(f"{name}: the first row has no {field!r}, but {there}: name the field with --field")
    return row.get(field)


def _table(source: BinaryIO, delimiter: str) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(_LONGEST_FIELD)
    text = io.TextIOWrapper(source, "utf-8-sig", errors="replace", newline="")
    try:
        yield from csv.DictReader(text, delimiter=delimiter)
    finally:
        text.detach()  # it is closed by who opened it


def _parquet(name: str) -> Iterator[dict[str, Any]]:
    with _open_parquet(name) as file:
        for batch in file.iter_batches(batch_size=_AT_ONCE):
            yield from batch.to_pylist()


def _open_parquet(name: str) -> Any:
    module = parquet()
    try:
        return module.ParquetFile(name)
    except (OSError, ValueError) as exc:  # ArrowInvalid is a ValueError
        raise ConfigurationError(f"{name} cannot be read: {exc}") from exc


def parquet() -> Any:
    """`pyarrow.parquet`.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return import_module("pyarrow.parquet")
    except ImportError as exc:
        raise MissingDependencyError('Parquet needs pyarrow: pip install "onellm[pipeline]"') from exc
