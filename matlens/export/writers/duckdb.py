"""DuckDB databases: a table for each value, nested columns as lists and structs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matlens.columns.notes import Note
from matlens.errors import MissingExtra
from matlens.export.atomic import atomic_path
from matlens.export.format import Format
from matlens.export.options import ExportOptions
from matlens.export.room import with_room
from matlens.export.writers.sqlite import METADATA_TABLE, quoted
from matlens.names import unique_names

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.export.item import Item


def connect(database: str | Path = ":memory:") -> Any:
    """A connection of DuckDB that fetches nothing from elsewhere."""
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("DuckDB is not installed: pip install 'matlens[sql]'") from None
    config: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # A table is a variable of the file, never one of Python that happens to have its name.
        "python_enable_replacements": "false",
    }
    return duckdb.connect(str(database), config=config)


class _DuckDb(Format):
    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        names = unique_names([METADATA_TABLE, *(item.name for item in items)], fold=True)[1:]
        with atomic_path(target, force=options.force) as temporary:
            connection = connect(temporary)
            try:
                connection.execute(f"create table {METADATA_TABLE} (name varchar primary key, metadata varchar)")
                for name, item in zip(names, items, strict=True):
                    _write_table(connection, name, item, temporary)
            except Exception as error:
                if type(error).__module__.partition(".")[0] not in ("_duckdb", "duckdb"):
                    raise
                raise OSError(f"DuckDB: {str(error).splitlines()[0]}") from None
            finally:
                connection.close()
        return []


def _write_table(connection: Any, name: str, item: Item, file: Path) -> None:
    import pyarrow as pa

    from matlens.columns.table import METADATA_KEY

    metadata = (item.schema.metadata or {}).get(METADATA_KEY, b"{}").decode()
    connection.execute(f"insert into {METADATA_TABLE} values (?, ?)", [name, metadata])
    if not len(item.schema):
        return
    columns = unique_names(item.schema.names, fold=True)
    schema = pa.schema([field.with_name(c) for field, c in zip(item.schema, columns, strict=True)])
    failures: list[Exception] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in with_room(item.batches(), file):
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        except Exception as error:
            failures.append(error)
            raise

    connection.register("matlens_rows", pa.RecordBatchReader.from_batches(schema, batches()))
    try:
        connection.execute(f"create table {quoted(name)} as select * from matlens_rows")
    except Exception:
        # DuckDB makes an error of its own from what goes wrong while it reads.
        if failures:
            raise failures[0] from None
        raise
    finally:
        connection.unregister("matlens_rows")


FORMATS = (_DuckDb("duckdb", (".duckdb", ".ddb"), "DuckDB database", many=True),)
