"""Batches of columns, read and added to in their own format: Arrow tables, dicts of numpy arrays, pandas frames."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# The libraries are extras, and columns hold whatever their owners put there.

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from onellm.errors import InvalidRequestError, MissingDependencyError


class Sheet(Protocol):
    """A batch. Columns that it makes are what `extended` takes; nothing that came in is changed."""

    @property
    def names(self) -> Sequence[str]: ...
    def values(self, name: str) -> list[Any]: ...
    def texts(self, values: list[str | None]) -> Any: ...
    def counts(self, values: list[int | None]) -> Any: ...
    def vectors(self, rows: Any, missing: Any) -> Any: ...
    def extended(self, columns: Mapping[str, Any]) -> Any: ...


def numpy() -> Any:
    """The module.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return import_module("numpy")
    except ImportError as exc:
        raise MissingDependencyError('batches of vectors need numpy: pip install "onellm[ray]"') from exc


def sheet(batch: object) -> Sheet:
    """A batch, whichever format it has.

    Raises:
        InvalidRequestError: it has none of them.
    """
    if isinstance(batch, Mapping):
        return _Arrays(batch)
    library = type(batch).__module__.partition(".")[0]
    if library == "pyarrow" and hasattr(batch, "set_column"):
        return _Table(batch)
    if library == "pandas" and hasattr(batch, "assign"):
        return _Frame(batch)
    kind = f"{type(batch).__module__}.{type(batch).__qualname__}"
    raise InvalidRequestError(
        f"a batch is an Arrow table, a dict of numpy arrays or a pandas frame, not {kind}", param="batch"
    )


def column(batch: Sheet, name: str, argument: str) -> list[Any]:
    """The values of a column: texts, numbers, lists and dicts of Python's; None where there is none.

    Raises:
        InvalidRequestError: there is no such column; says which there are, and which argument names it.
    """
    if name not in batch.names:
        there = ", ".join(map(repr, batch.names))
        raise InvalidRequestError(
            f"the batch has no column {name!r}, but {there}: name it with {argument}", param=argument
        )
    return [value if type(value) is str else _plain(value) for value in batch.values(name)]


def _plain(value: Any) -> Any:
    """A value as Python's own; Arrow's structs have all their fields, so that null in one is a field left out."""
    if hasattr(value, "tolist"):  # an array, or a scalar of numpy's
        value = value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(own) for name, own in value.items() if own is not None}
    if isinstance(value, list | tuple):
        return [_plain(own) for own in value]
    return None if value != value else value  # noqa: PLR0124 - NaN is what numpy has for nothing


class _Table:
    """A `pyarrow.Table`."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch
        self._arrow: Any = import_module("pyarrow")

    @property
    def names(self) -> Sequence[str]:
        names: list[str] = self._batch.column_names
        return names

    def values(self, name: str) -> list[Any]:
        values: list[Any] = self._batch.column(name).to_pylist()
        return values

    def texts(self, values: list[str | None]) -> Any:
        return self._arrow.array(values, self._arrow.string())

    def counts(self, values: list[int | None]) -> Any:
        return self._arrow.array(values, self._arrow.int64())

    def vectors(self, rows: Any, missing: Any) -> Any:
        """Lists of a fixed size over the matrix's own buffer, null where they are missing."""
        arrow = self._arrow
        if rows is None:
            return arrow.nulls(len(missing))
        kind = arrow.list_(arrow.float32(), rows.shape[1])
        mask = arrow.array(missing) if missing.any() else None
        return arrow.FixedSizeListArray.from_arrays(arrow.array(rows.reshape(-1)), type=kind, mask=mask)

    def extended(self, columns: Mapping[str, Any]) -> Any:
        table = self._batch
        for name, values in columns.items():
            place = table.column_names.index(name) if name in table.column_names else None
            table = table.append_column(name, values) if place is None else table.set_column(place, name, values)
        return table


class _Arrays:
    """A dict of numpy arrays: what is missing is None, and of a matrix a row of NaN."""

    def __init__(self, batch: Mapping[str, Any]) -> None:
        self._batch = batch

    @property
    def names(self) -> Sequence[str]:
        return list(self._batch)

    def values(self, name: str) -> list[Any]:
        values = self._batch[name]
        return values if isinstance(values, list) else values.tolist()

    def texts(self, values: list[str | None]) -> Any:
        return numpy().array(values, dtype=object)

    def counts(self, values: list[int | None]) -> Any:
        return numpy().array(values, dtype=object if None in values else "int64")

    def vectors(self, rows: Any, missing: Any) -> Any:
        if rows is None:
            return numpy().full(len(missing), None, dtype=object)
        rows[missing] = float("nan")
        return rows

    def extended(self, columns: Mapping[str, Any]) -> Any:
        return {**self._batch, **columns}


class _Frame:
    """A `pandas.DataFrame`: vectors are arrays, what is missing is None."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch
        self._pandas: Any = import_module("pandas")

    @property
    def names(self) -> Sequence[str]:
        return list(self._batch.columns)

    def values(self, name: str) -> list[Any]:
        series = self._batch[name]
        return [None if missing else value for value, missing in zip(series.tolist(), series.isna(), strict=True)]

    def texts(self, values: list[str | None]) -> Any:
        return self._series(values, object)

    def counts(self, values: list[int | None]) -> Any:
        return self._series(values, "Int64")

    def vectors(self, rows: Any, missing: Any) -> Any:
        if rows is None:
            return self._series([None] * len(missing), object)
        return self._series([None if gone else row for row, gone in zip(rows, missing, strict=True)], object)

    def extended(self, columns: Mapping[str, Any]) -> Any:
        return self._batch.assign(**columns)

    def _series(self, values: list[Any], kind: Any) -> Any:
        return self._pandas.Series(values, index=self._batch.index, dtype=kind)
