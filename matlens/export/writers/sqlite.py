"""SQLite databases: a table for each value, nested columns as JSON text."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matlens.columns.notes import Note
from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_path
from matlens.export.format import Format
from matlens.export.options import ExportOptions
from matlens.export.room import with_room
from matlens.names import unique_names

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.export.item import Item

METADATA_TABLE = "_matlens"
"""Table of the names of all tables, and of MATLAB's view of them as JSON."""
MAX_COLUMNS = 2000
ROWS = 10_000


class _Sqlite(Format):
    """uint64 that does not fit SQLite's integers becomes text."""

    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        names = unique_names([METADATA_TABLE, *(item.name for item in items)], fold=True)[1:]
        with atomic_path(target, force=options.force) as temporary, closing(sqlite3.connect(temporary)) as connection:
            try:
                # The file is new and is thrown away when anything fails: a journal would only be in the way.
                connection.execute("pragma journal_mode = off")
                connection.execute("pragma synchronous = off")
                connection.execute(f"create table {METADATA_TABLE} (name text primary key, metadata text)")
                for name, item in zip(names, items, strict=True):
                    _write_table(connection, name, item, temporary)
                connection.commit()
            except sqlite3.Error as error:
                raise OSError(f"SQLite: {error}") from None
        return []


def _write_table(connection: sqlite3.Connection, name: str, item: Item, file: Path) -> None:
    from matlens.columns.table import METADATA_KEY
    from matlens.export.flatten import FlatTable

    flat = FlatTable(item, spread=False)
    columns = unique_names(flat.schema.names, fold=True)
    if len(columns) > MAX_COLUMNS:
        raise UnfitFormat(f"{item.name}: {len(columns):,} columns, SQLite takes {MAX_COLUMNS:,}")
    metadata = (flat.schema.metadata or {}).get(METADATA_KEY, b"{}").decode()
    connection.execute(f"insert into {METADATA_TABLE} values (?, ?)", (name, metadata))
    if not columns:
        return
    declared = [f"{quoted(c)} {_declared(field.type)}" for c, field in zip(columns, flat.schema, strict=True)]
    connection.execute(f"create table {quoted(name)} ({', '.join(declared)})")
    insert = f"insert into {quoted(name)} values ({', '.join('?' * len(columns))})"
    for batch in with_room(flat.to_batches(ROWS), file):
        connection.executemany(insert, zip(*map(_values, batch.columns), strict=True))


def quoted(name: str) -> str:
    """A name as SQL writes it.

    Examples
    --------
    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def _declared(kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_uint64(kind):
        # With a declared type, SQLite would make a float of text that looks like a number.
        return ""
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "integer"
    return "real" if pa.types.is_floating(kind) else "text"


def _values(column: pa.Array) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_uint64(column.type) and (pc.max(column).as_py() or 0) >= 2**63:
        return [value if value is None or value < 2**63 else str(value) for value in column.to_pylist()]
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    return list(column.to_pylist())


FORMATS = (_Sqlite("sqlite", (".sqlite", ".sqlite3", ".db"), "SQLite database", many=True),)
