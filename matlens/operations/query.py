"""SQL over the variables of a file: DuckDB on Arrow tables, which it reads in place."""

from __future__ import annotations

from typing import Any, Unpack

import pyarrow as pa

from matlens.columns.table import with_metadata
from matlens.errors import MatlensError, PathError, QueryError
from matlens.export.writers.duckdb import connect
from matlens.names import unique_names
from matlens.tree.file import MatFile, ReadingOptions, Source, opened


def query(source: Source, sql: str, **options: Unpack[ReadingOptions]) -> pa.Table:
    """The result of a SQL query over the variables of a file.

    Only the variables that the query names are read. A path in double quotes is a table
    as well: ``select * from "s.data"``.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    sql : str
    **options
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Returns
    -------
    pyarrow.Table
        Two columns of one name get names of their own; ``notes`` under the key ``matlens`` of the metadata say so.

    Raises
    ------
    QueryError
        What DuckDB has to say about the query.
    MissingExtra
        Without the package duckdb.

    Examples
    --------
    >>> query("fixtures/annotations_v7.mat", "select count(*) as n from annotations where reviewed").to_pylist()
    [{'n': 35}]
    """
    with opened(source, **options) as file:
        return _query(file, sql)


def _query(file: MatFile, sql: str) -> pa.Table:
    connection = connect()
    try:
        for name in sorted(connection.get_table_names(sql)):
            node = _node(file, name)
            if node is not None:
                connection.register(name, node.to_arrow())
        relation = connection.sql(sql)
        if relation is None:
            return pa.table({})
        return _named_apart(relation.to_arrow_table())
    except MatlensError:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("_duckdb", "duckdb"):
            raise
        hint = f"; tables are {', '.join(list(file)[:20])}" if "does not exist" in str(error) else ""
        raise QueryError(f"{str(error).strip().splitlines()[0]}{hint}", file=file.name) from None
    finally:
        connection.close()


def _named_apart(table: pa.Table) -> pa.Table:
    """Columns of one name, which JSON and Arrow know but once, under names of their own; ``notes`` tell of it."""
    names = unique_names(table.column_names)
    changed = [f"a second column {old!r} is named {new!r}" for old, new in zip(table.column_names, names, strict=True)]
    notes = [note for note, old, new in zip(changed, table.column_names, names, strict=True) if old != new]
    renamed = table.rename_columns(names)
    return with_metadata(renamed, {"notes": notes}) if notes else renamed


def _node(file: MatFile, name: str) -> Any:
    """The value that a table name means: a variable, whatever its case, or a path; None for neither."""
    if name in file:
        return file[name]
    folded = [variable for variable in file if variable.casefold() == name.casefold()]
    if folded:
        return file[folded[0]]
    try:
        return file.at(name)
    except PathError:
        return None
