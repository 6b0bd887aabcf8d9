"""SQL over the variables of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import matlens
from matlens.errors import QueryError
from matlens.operations.query import query
from tests.support import FIXTURES, run

pytest.importorskip("duckdb")
ANNOTATIONS = str(FIXTURES / "annotations_v7.mat")


def test_variables_and_paths_are_tables() -> None:
    with matlens.open(FIXTURES / "kinds_v73.mat") as file:
        assert query(file, 'select x1, x2 from "numbers.f64" limit 1').to_pylist() == [{"x1": 1.5, "x2": -2.0}]
        found = query(
            file, 'select t.value from sparse_real s join SPARSE_REAL t on s."row" = t."row" and s.col = t.col'
        )
        assert found.num_rows == file["sparse_real"].value.nnz
        assert query(file, "select max(i64[3]) as m from integers").to_pylist() == [{"m": 2**53 + 1}]


def test_only_named_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with matlens.open(FIXTURES / "kinds_v73.mat") as file:
        read = []
        original = matlens.Node.to_arrow
        monkeypatch.setattr(matlens.Node, "to_arrow", lambda node: (read.append(node.name), original(node))[1])
        query(file, "with a as (select * from complex) select * from a, structs")
        assert sorted(read) == ["complex", "structs"]


def test_faults_of_queries_are_told() -> None:
    with matlens.open(ANNOTATIONS) as file:
        with pytest.raises(QueryError, match=r"annotations_v7\.mat: .*does not exist.*tables are annotations"):
            query(file, "select * from annotation")
        # Names of Python's own variables in the code that runs the query.
        for name in ("file", "relation", "node", "connection"):
            with pytest.raises(QueryError, match="does not exist"):
                query(file, f"select * from {name}")
        with pytest.raises(QueryError, match=r"(?i)syntax"):
            query(file, "selec 1")


def test_command_line(tmp_path: Path) -> None:
    sql = "select image, len(labels) as n from annotations order by n desc, image limit 2"
    done = run("sql", ANNOTATIONS, sql)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and lines[0].split() == ["image", "n"] and len(lines) == 3
    rows = json.loads(run("sql", ANNOTATIONS, sql, "--json").stdout)["rows"]
    assert [row["image"] for row in rows] == [line.split()[0] for line in lines[1:]]
    text = run("sql", ANNOTATIONS, sql, "--csv").stdout.decode()
    assert text.splitlines()[0] == '"image","n"' and text.splitlines()[1] == f'"{rows[0]["image"]}",{rows[0]["n"]}'
    target = tmp_path / "q.parquet"
    assert run("sql", ANNOTATIONS, sql, "-o", str(target)).returncode == 0
    import pyarrow.parquet as pq

    assert pq.read_table(target).to_pylist() == rows
    assert run("sql", ANNOTATIONS, sql, "-o", str(target)).returncode == 2
    done = run("sql", ANNOTATIONS, "select * from nothing")
    assert done.returncode == 2 and b"tables are annotations" in done.stderr and b"Traceback" not in done.stderr
    assert "29 more" in run("sql", ANNOTATIONS, "select image from annotations limit 69").stdout.decode()


def test_columns_of_one_name_are_told_apart() -> None:
    done = run("sql", ANNOTATIONS, "select image, image, 1 as n from annotations limit 1", "--json")
    assert json.loads(done.stdout)["columns"] == ["image", "image_2", "n"]
    assert done.stderr.decode() == "note: a second column 'image' is named 'image_2'\n"
    plain = run("sql", ANNOTATIONS, "select image from annotations limit 1")
    assert plain.returncode == 0 and plain.stderr == b""
