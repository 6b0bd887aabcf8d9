"""What every table promises: each kind inherits the same tests, with no, one and many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import matlens
from matlens.columns import stored_tables
from matlens.columns.array_tables import ArrowTable, as_table
from matlens.columns.notes import Note
from matlens.columns.table import Table
from matlens.export.consumers import adapted
from matlens.export.flatten import FlatTable
from matlens.export.item import Item
from matlens.values import windows

ROWS = (0, 1, 11)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of few rows, so that many rows take several."""
    for name, value in {"WINDOW_ROWS": 3, "WINDOW_BYTES": 200}.items():
        monkeypatch.setattr(windows, name, value)
    for name, value in {"PROBE_ROWS": 1, "SMALL_BYTES": -1, "KEPT_ELEMENTS": 3}.items():
        monkeypatch.setattr(stored_tables, name, value)


def records(rows: int) -> Any:
    array = np.empty((1, rows), [("a", object), ("t", object)])
    for k in range(rows):
        array[0, k] = np.array([[k + 0.5, -k]]), f"row {k}"
    return array


def node(value: Any) -> Any:
    return matlens.from_loadmat({"v": value})["v"]


class TableContract:
    """The tests that a kind of table inherits; `make` gives one, whose rows are `expected`."""

    rows: tuple[int, ...] = ROWS

    def make(self, rows: int) -> Table:
        raise NotImplementedError

    def expected(self, rows: int) -> list[dict[str, Any]]:
        raise NotImplementedError

    @pytest.fixture
    def case(self, request: pytest.FixtureRequest) -> tuple[Table, list[dict[str, Any]]]:
        rows: int = request.param
        if rows not in self.rows:
            pytest.skip(f"not of {rows} rows")
        return self.make(rows), self.expected(rows)

    @pytest.mark.parametrize("case", ROWS, indirect=True)
    def test_rows_and_schema(self, case: tuple[Table, list[dict[str, Any]]]) -> None:
        table, expected = case
        assert table.num_rows == len(expected)
        batches = list(table.batches())
        assert all(batch.schema.equals(table.schema, check_metadata=True) for batch in batches)
        assert [row for batch in batches for row in batch.to_pylist()] == expected
        assert len(batches) >= min(len(expected) // 6, 2)
        whole = table.read_all()
        whole.validate(full=True)
        assert whole.to_pylist() == expected and whole.schema.equals(table.schema, check_metadata=True)

    @pytest.mark.parametrize("case", ROWS, indirect=True)
    def test_batches_of_so_many_rows(self, case: tuple[Table, list[dict[str, Any]]]) -> None:
        table, expected = case
        batches = list(table.to_batches(2))
        assert all(batch.num_rows <= 2 for batch in batches)
        assert [row for batch in batches for row in batch.to_pylist()] == expected

    @pytest.mark.parametrize("case", ROWS, indirect=True)
    def test_streams_of_arrow(self, case: tuple[Table, list[dict[str, Any]]]) -> None:
        table, expected = case
        assert table.to_reader().read_all().to_pylist() == expected
        assert pa.schema(table).equals(table.schema, check_metadata=True)
        assert pa.table(table).to_pylist() == expected

    @pytest.mark.parametrize("case", ROWS, indirect=True)
    def test_other_libraries_take_it(self, case: tuple[Table, list[dict[str, Any]]]) -> None:
        polars, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
        rows, expected = case
        assert polars.DataFrame(rows).to_dicts() == expected
        found = duckdb.sql("from rows").to_arrow_table().to_pylist()
        assert [list(row.values()) for row in found] == [list(row.values()) for row in expected]

    @pytest.mark.parametrize("case", ROWS, indirect=True)
    def test_notes(self, case: tuple[Table, list[dict[str, Any]]]) -> None:
        table, _ = case
        assert all(isinstance(note, Note) and note.text for note in table.notes)
        assert table.notes == table.notes


class TestElements(TableContract):
    def make(self, rows: int) -> Table:
        return node(records(rows)).table()

    def expected(self, rows: int) -> list[dict[str, Any]]:
        return [{"a": [k + 0.5, -k], "t": f"row {k}"} for k in range(rows)]


class TestMatrix(TableContract):
    def make(self, rows: int) -> Table:
        return node(np.arange(rows * 2.0).reshape(rows, 2)).table(dim=1)

    def expected(self, rows: int) -> list[dict[str, Any]]:
        return [{"x1": 2.0 * k, "x2": 2.0 * k + 1} for k in range(rows)]


class TestCube(TableContract):
    def make(self, rows: int) -> Table:
        return node(np.arange(rows * 4.0).reshape(2, rows, 2)).table(dim=2)

    def expected(self, rows: int) -> list[dict[str, Any]]:
        cube = np.arange(rows * 4.0).reshape(2, rows, 2)
        return [{"v": cube[:, k].tolist()} for k in range(rows)]


class TestJoined(TableContract):
    rows = (11,)

    def make(self, rows: int) -> Table:
        record = np.empty((1, 1), [("x", object), ("m", object)])
        record[0, 0] = np.arange(rows, dtype=np.uint8).reshape(-1, 1), np.arange(rows * 2.0).reshape(rows, 2)
        return node(record).table()

    def expected(self, rows: int) -> list[dict[str, Any]]:
        return [{"x": k, "m": [2.0 * k, 2.0 * k + 1]} for k in range(rows)]


class TestArrow(TableContract):
    def make(self, rows: int) -> Table:
        return as_table(pa.table({"k": np.arange(rows), "t": pa.array([str(k) for k in range(rows)], pa.string())}))

    def expected(self, rows: int) -> list[dict[str, Any]]:
        return [{"k": k, "t": str(k)} for k in range(rows)]


class TestChunks(TestArrow):
    """Of a table in memory whose chunks are not those of the windows."""

    def make(self, rows: int) -> Table:
        whole = super().make(rows).read_all()
        return ArrowTable(pa.concat_tables([whole.slice(0, 1), whole.slice(1, 6), whole.slice(7)]))


class TestFlat(TestElements):
    def make(self, rows: int) -> Table:
        return FlatTable(super().make(rows))

    def expected(self, rows: int) -> list[dict[str, Any]]:
        # Without rows, nothing tells that all are of two numbers.
        return [{"a_1": k + 0.5, "a_2": float(-k), "t": f"row {k}"} for k in range(rows)]


class TestItem(TestElements):
    def make(self, rows: int) -> Table:
        return Item("v", super().make(rows), remarks=[Note("v", "a remark")])


class TestForPandas(TableContract):
    def make(self, rows: int) -> Table:
        items = np.empty((rows, 1), object)
        for k in range(rows):
            items[k, 0] = np.array([[k]], np.int64) if k else np.zeros((0, 0))
        return adapted(node(items).table(), "pandas")

    def expected(self, rows: int) -> list[dict[str, Any]]:
        return [{"v": k or None} for k in range(rows)]


def test_a_table_of_a_value_says_where_it_comes_from() -> None:
    table = node(np.eye(2)).table()
    assert pa.table(table).schema.metadata[b"matlens"] == table.schema.metadata[b"matlens"]
    assert b'"variable": "v"' in table.schema.metadata[b"matlens"]
    bare = as_table(pa.table({"x": [1]}, metadata={"kept": "yes"}))
    assert bare.schema.metadata == {b"kept": b"yes"}


def test_rows_of_a_table_are_limited() -> None:
    limits = matlens.Limits(rows=10)
    with pytest.raises(matlens.errors.LimitExceeded, match=r"11 rows: exceeds Limits.rows = 10; .*--limit rows=20"):
        windows.window_bounds(8, 11, limits=limits)
    assert windows.window_bounds(8, 10, limits=limits)[-1] == 10
