"""Objects of MATLAB classes, against mat-io, MAT.jl's own expectations, and bytes made by hand."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import matlens
from matlens.classes.instances import Instance, convert
from matlens.classes.strings import category_array, stored_strings
from matlens.classes.tabular import frame, table_parts, timetable_parts
from matlens.classes.times import calendar_durations, datetimes, durations
from matlens.columns.object_columns import arrow_column
from matlens.errors import CorruptFile, MatlensError, PathError, UnsupportedValue
from matlens.formats.mcos import ObjectTable, parse_reference
from matlens.operations.diff import diff
from tests.matio_values import matio_values, same_as_matio
from tests.support import CORPUS, FIXTURES, run

MAT_JL = "JuliaIO+MAT.jl/test"
VERSIONS = ["v7", "v7.3"]


@pytest.fixture(params=VERSIONS)
def opened(request: pytest.FixtureRequest, corpus: Any) -> Any:
    files: list[matlens.MatFile] = []

    def open_file(name: str) -> matlens.MatFile:
        files.append(matlens.open(corpus(f"{MAT_JL}/{request.param}/{name}.mat")))
        return files[-1]

    yield open_file
    for file in files:
        file.close()


# --- objects of one's own classes ----------------------------------------------------------


def test_properties_defaults_and_nesting(opened: Any) -> None:
    file = opened("user_defined_classdefs")
    assert file["obj_with_default_val"].to_python() == {"a": "Default String", "b": 10.0}
    assert file["obj_no_vals"].to_python() == {"a": [], "b": [], "c": []}
    nested = file["obj_with_nested_props"]
    assert nested.matlab_class == "TestClasses.BasicClass"
    inner = {"a": 1.0, "b": "Obj1", "c": []}
    assert nested.to_python() == {"a": inner, "b": [inner], "c": {"InnerProp": {"a": 2.0, "b": "Obj2", "c": []}}}
    assert [child.path for child in nested.children()] == [f"obj_with_nested_props.{name}" for name in "abc"]
    assert file.at("obj_with_nested_props.c.InnerProp.b").value == "Obj2"
    value = nested.value
    assert isinstance(value, Instance) and value.class_name == "TestClasses.BasicClass"
    assert value["a"].class_name == "TestClasses.BasicClass"


def test_arrays_of_objects(opened: Any) -> None:
    file = opened("user_defined_classdefs")
    array = file["obj_array"]
    assert array.dims == (2, 2) and array.child_count == 4
    assert [float(item["a"].item()) for item in array.value.ravel(order="F")] == [1, 3, 2, 4]
    assert file.at("obj_array(2,1).a").value.item() == 3
    assert file.at("obj_array(3)").to_python()["a"] == 2
    assert [child.children()[0].value.item() for child in array.children()] == [1, 3, 2, 4]


def test_handles_are_shared(opened: Any) -> None:
    file = opened("user_defined_classdefs")
    found = matlens.loadmat(file.path)
    assert found["obj_handle_1"] == found["obj_handle_2"] == {"a": np.array([[20.0]])}


def test_dynamic_properties(opened: Any) -> None:
    assert opened("dynamicprops")["obj"].to_python() == {"Name": "Example", "DynamicData": 42.0}


def test_members_of_enumerations_inside_objects(corpus: Any) -> None:
    with matlens.open(corpus("mathworks+Helmet-detection/gTruth.mat")) as file:
        kind = file.at("gTruth.any.LabelDefinitions(1).Type")
        assert (kind.matlab_class, kind.dims, kind.value, kind.child_count) == ("labelType", (1, 1), "Rectangle", 0)
        assert kind.to_arrow().to_pylist() == [{"Type": "Rectangle"}]
    with matlens.open(corpus("mathworks+Helmet-detection/videoLabelingSession.mat")) as file:
        source = file.at("videoLabelingSession.SourceType")
        assert source.dims == (0, 0) and source.matlab_class == "vision.internal.labeler.DataSourceType"


@pytest.mark.parametrize("version", VERSIONS)
def test_one_object_of_many_leaves_the_others(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    matio = pytest.importorskip("matio")
    # Of v7.3, mat-io writes a thousand in a second.
    cell = np.empty((1, 10_000 if version == "v7" else 1_000), object)
    for k in range(cell.size):
        cell[0, k] = np.array([[f"text {k}"]], dtype=np.dtypes.StringDType())
    matio.save_to_mat(str(tmp_path / "many.mat"), {"c": cell}, version=version)
    resolved: list[int] = []
    properties = ObjectTable.properties

    def counted(self: ObjectTable, object_id: int) -> Any:
        resolved.append(object_id)
        return properties(self, object_id)

    monkeypatch.setattr(ObjectTable, "properties", counted)
    with matlens.open(tmp_path / "many.mat") as file:
        assert file.at("c{501}").value == "text 500"
    assert len(resolved) == 1


def test_a_complex_number_of_rows_is_refused() -> None:
    stored = {"varnames": np.array(["a"]), "nrows": np.array([[1 + 2j]])}
    with pytest.raises(CorruptFile, match="nrows of a table is not a count"):
        table_parts(stored, {})


def test_function_handles_that_capture(opened: Any) -> None:
    file = opened("function_handles")
    assert file["anonymous"].value == "@(x)x" and file["sin"].value == "sin"
    assert file["anonymous"].to_python() == "@(x)x" and file["anonymous"].preview() == "@(x)x"
    assert file["sin"].preview() == "@sin" and not file["sin"].children()
    (workspace,) = file["anonymous"].children()
    assert file.at(workspace.path).path == "anonymous.workspace" and file["anonymous"].child_count == 1


def test_figures_open_as_a_tree(corpus: Any) -> None:
    with matlens.open(corpus(f"{MAT_JL}/figure.fig")) as file:
        assert file.at("hgS_070000.children.type").value == "axes"
        graphics = file.at("hgM_070000.GraphicsObjects")
        assert graphics.matlab_class == "matlab.graphics.internal.figfile.GraphicsObjects"
        assert file.at("hgM_070000.GraphicsObjects.Format3Data").matlab_class == "matlab.ui.Figure"


# --- tables, strings, dates -------------------------------------------------------------------


def test_a_table_and_its_variables(opened: Any) -> None:
    file = opened("struct_table_datetime")
    table = file.at("s.testTable")
    assert table.matlab_class == "table" and table.dims == (3, 5)
    assert table.to_python() == {
        "FlightNum": [1261.0, 547.0, 3489.0],
        "Customer": ["Jones", "Brown", "Smith"],
        "Date": [dt.datetime(2016, 12, day) for day in (20, 21, 22)],
        "Rating": ["Good", "Poor", "Fair"],
        "Comment": [
            "Flight left on time, not crowded",
            "Late departure, ran out of dinner options",
            "Late, but only by half an hour. Otherwise fine.",
        ],
    }
    frame = table.value
    assert isinstance(frame, pd.DataFrame) and frame["Date"].dtype == "datetime64[us]"
    assert file.at("s.testTable.Customer").dims == (3, 1)
    assert file.at("s.testTable.Customer(2)").value == "Brown"
    assert file.at("s.testTable.Rating(2)").to_python() == ["Poor"]
    with pytest.raises(PathError, match="take a variable of the table"):
        file.at("s.testTable(2)")


def test_a_table_as_arrow_and_parquet(opened: Any, tmp_path: Path) -> None:
    file = opened("struct_table_datetime")
    table = file.at("s.testTable").to_arrow()
    assert [str(kind) for kind in table.schema.types] == [
        "double", "string", "timestamp[us]", "dictionary<values=string, indices=int32, ordered=0>", "string",
    ]  # fmt: skip
    done = run("convert", str(file.path), "--var", "s.testTable", "-o", str(tmp_path / "t.parquet"))
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "t.parquet").column("Rating").to_pylist() == ["Good", "Poor", "Fair"]


def test_objects_inside_structs_are_columns(opened: Any) -> None:
    file = opened("struct_table_datetime")
    table = file["s"].to_arrow()
    assert table.schema.field("testDatetime").type == pa.timestamp("us")
    assert table["testDatetime"].to_pylist() == [dt.datetime(2019, 12, 2, 16, 42, 49, 634000)]
    (rows,) = table["testTable"].to_pylist()
    assert [row["Customer"] for row in rows] == ["Jones", "Brown", "Smith"]
    assert table.schema.field("testTable").type.value_type.field("Date").type == pa.timestamp("us")


def test_real_and_imaginary_part_make_a_datetime(opened: Any) -> None:
    value = opened("struct_table_datetime").at("s.testDatetimeComplex").value
    assert value.dtype == "datetime64[us]"
    # 1765052919868.83 ms and -7.8e-05 ms.
    assert value.item() == dt.datetime(2025, 12, 6, 20, 28, 39, 868830)


@pytest.mark.parametrize("name", ["user_defined_classdefs", "struct_table_datetime", "dynamicprops"])
def test_v7_equals_v73(corpus: Any, name: str) -> None:
    with matlens.open(corpus(f"{MAT_JL}/v7/{name}.mat")) as a, matlens.open(corpus(f"{MAT_JL}/v7.3/{name}.mat")) as b:
        assert list(diff(a, b)) == []
        assert {n: a[n].to_python() for n in a} == {n: b[n].to_python() for n in b}


def test_a_difference_of_objects_is_told(corpus: Any) -> None:
    with matlens.open(corpus(f"{MAT_JL}/v7/user_defined_classdefs.mat")) as file:
        found = list(matlens.operations.diff.diff_nodes(file["obj_no_vals"], file["obj_with_vals"]))
    assert [difference.what for difference in found] == ["values"]


@pytest.mark.parametrize("version", ["v7", "v73"])
def test_the_objects_of_the_fixtures(version: str) -> None:
    with matlens.open(FIXTURES / f"objects_{version}.mat") as file:
        people, visits = file["people"], file["visits"]
        assert (people.matlab_class, people.dims, visits.matlab_class) == ("table", (3, 4), "timetable")
        born = [dt.datetime(1815, 12, 10), dt.datetime(1922, 11, 24), dt.datetime(2000, 1, 1, 12, 30)]
        assert people.to_python()["born"] == born
        assert people.to_python()["name"] == ["Ada", "Br\u00fchl", "\u674e"]
        frame = visits.value
        assert frame.index.name == "born" and frame.index.tolist() == list(map(pd.Timestamp, born))
        assert list(visits.to_python()) == ["born", "name", "score", "group"]
        assert visits.to_arrow().column_names == ["born", "name", "score", "group"]
        assert visits.to_arrow()["born"].to_pylist() == born
        assert file["took"].to_arrow()["took"].to_pylist() == [dt.timedelta(seconds=1.5), dt.timedelta(seconds=0.25)]


# --- the values of mat-io ------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["user_defined_classdefs", "struct_table_datetime"])
def test_values_of_matio(corpus: Any, name: str, version: str) -> None:
    path = corpus(f"{MAT_JL}/{version}/{name}.mat")
    expected = matio_values(path)
    found = matlens.loadmat(path)
    for variable, value in expected.items():
        same_as_matio(found[variable], value, variable)


# --- ground truth of the labelers -------------------------------------------------------------


def test_a_ground_truth(corpus: Any) -> None:
    with matlens.open(corpus("mathworks+Helmet-detection/gTruth.mat")) as file:
        truth = file["gTruth"]
        assert truth.matlab_class == "groundTruth"
        labels = file.at("gTruth.any.LabelDefinitions").to_python()
        assert [(label["Name"], label["Type"]) for label in labels] == [
            ("Helmet", "Rectangle"), ("No_helmet", "Rectangle"),
        ]  # fmt: skip
        times = file.at("gTruth.any.DataSource.TimeStamps").value
        assert times.shape == (990, 1) and times.dtype == "timedelta64[us]"
        assert times[1, 0] == np.timedelta64(33333, "us")
        assert file.at("gTruth.any.DataSource.SourceType").value == "VideoReader"


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["corrupted_mcos_object_metadata", "corrupted_subsystem"])
def test_damaged_objects_are_errors_of_their_own(opened: Any, name: str) -> None:
    file = opened(name)
    node = file["var"]
    assert node.matlab_class == "datetime" and node.summary() == "unreadable datetime"
    for read in (lambda: node.value, lambda: node.dims, lambda: len(node), node.to_python, node.to_arrow):
        with pytest.raises(CorruptFile, match=rf"{name}\.mat: var: "):
            read()
    done = run("check", str(file.path))
    assert done.returncode == 1 and b"var" in done.stdout
    listed = run("ls", str(file.path))
    assert listed.returncode == 1 and b"datetime  ?" in listed.stdout and b": var: " in listed.stderr


def test_a_property_without_a_name_is_a_column(corpus: Any) -> None:
    """Its column took the place of the whole table."""
    content = uncompressed(str(corpus(f"{MAT_JL}/v7/dynamicprops.mat").relative_to(CORPUS)))
    at = content.index(b"\0Name\0") + 1
    content[at : at + 4] = bytes(4)
    with matlens.open(bytes(content)) as file:
        for node in file.values():
            try:
                table = node.to_arrow()
            except CorruptFile:
                continue
            assert table.num_rows == 1 and all(table.column_names)


SEEDS = [f"{MAT_JL}/v7/{name}.mat" for name in ("struct_table_datetime", "user_defined_classdefs", "dynamicprops")]


def mutated_subsystems_do_no_harm(seed: str, data: Any) -> None:
    """Bytes of the inflated table of objects are changed; what is read is a value or an error of matlens."""
    content = uncompressed(seed)
    start = int.from_bytes(content[116:124], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(start, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    with matlens.open(bytes(content)) as file:
        for node in file.values():
            try:
                node.to_python()
                node.preview()
                node.to_arrow()
            except MatlensError:
                pass


@pytest.mark.skipif(not (CORPUS / SEEDS[0]).exists(), reason="no corpus beside the project")
@pytest.mark.parametrize(
    "count", [pytest.param(100, id="some"), pytest.param(2000, id="many", marks=pytest.mark.campaign)]
)
def test_mutated_subsystems_do_no_harm(count: int) -> None:
    options = settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    options(given(st.sampled_from(SEEDS), st.data())(mutated_subsystems_do_no_harm))()


def uncompressed(name: str) -> bytearray:
    """A v7 file with its variables inflated."""
    import zlib

    content = (CORPUS / name).read_bytes()
    parts, at = [bytearray(content[:128])], 128
    offset = int.from_bytes(content[116:124], "little")
    while at < len(content):
        kind, size = (int.from_bytes(content[at + k : at + k + 4], "little") for k in (0, 4))
        body = content[at + 8 : at + 8 + size]
        if at == offset:
            parts[0][116:124] = sum(map(len, parts)).to_bytes(8, "little")
        parts.append(bytearray(zlib.decompress(body) if kind == 15 else content[at : at + 8 + size]))
        at += 8 + size
    return bytearray(b"".join(parts))


# --- single values --------------------------------------------------------------------------------


def packed(dims: tuple[int, ...], texts: list[str | None]) -> np.ndarray:
    """A string array as MATLAB stores it."""
    units = [text.encode("utf-16-le", "surrogatepass") if text is not None else b"" for text in texts]
    counts = [2**64 - 1 if text is None else len(unit) // 2 for text, unit in zip(texts, units, strict=True)]
    letters = b"".join(units)
    letters += b"\0" * (-len(letters) % 8)
    head = np.array([1, len(dims), *dims, *counts], np.uint64)
    return np.concatenate([head, np.frombuffer(letters, np.uint64)])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=6))))
def test_strings_of_any_letters(texts: list[str | None]) -> None:
    stored = packed((1, len(texts)), texts)
    found, column = stored_strings(stored), arrow_column("string", {"any": stored})
    assert found.dims == (1, len(texts)) and found.to_numpy().ravel().tolist() == texts
    assert column.equals(pa.array(texts, pa.string()))
    column.validate(full=True)


def test_strings_of_halves_of_letters_and_of_no_letters() -> None:
    texts = ["\ud83d", "\ude00x", "\uffff", "", "ab"]
    stored = packed((5, 1), texts)
    found = stored_strings(stored)
    assert found.to_numpy().ravel().tolist() == texts
    assert stored_strings(packed((2, 1), texts[:2])).to_numpy().ravel().tolist() == texts[:2]
    assert arrow_column("string", {"any": stored}).to_pylist() == ["\ufffd", "\ufffdx", "\uffff", "", "ab"]


def test_strings_in_dims() -> None:
    found = stored_strings(packed((2, 2), ["a", "b", None, "\U0001f600d"])).to_numpy()
    assert found.tolist() == [["a", None], ["b", "\U0001f600d"]]
    assert stored_strings(packed((0, 3), [])).dims == (0, 3)


@pytest.mark.parametrize(
    "words",
    [
        [1, 2, 1],
        [1, 9, 1, 1, 3],
        [1, 2, 1, 5, 3],
        [1, 2, 1, 1, 900],
        [1, 2, 1, 1, 2**62],
        [1, 2, 2**40, 2**40, 1],
        [1, 2, 1, 2, 2**59, 2**59],
    ],
)
def test_strings_that_do_not_fit(words: list[int]) -> None:
    with pytest.raises(CorruptFile):
        stored_strings(np.array(words, np.uint64))


@pytest.mark.parametrize(
    "text",
    ["1500-03-04T05:06:07.123456", "1677-09-21T00:12:43.000001", "2262-04-12T00:00:00", "2500-12-31T23:59:59.999999",
     "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999"],
)  # fmt: skip
def test_datetimes_beyond_nanoseconds(text: str) -> None:
    """mat-io and pandas before 2.0 wrap outside of 1677 to 2262."""
    microseconds = int(np.datetime64(text, "us").astype(np.int64))
    high, rest = divmod(microseconds, 1000)
    stored = np.array([[complex(high, rest / 1000)]])
    assert str(datetimes(stored)[0, 0]) == str(np.datetime64(text, "us"))


def test_missing_and_infinite_times() -> None:
    stored = np.array([[np.nan, np.inf, -np.inf, 1e300, complex(0, np.nan)]])
    assert np.isnat(datetimes(stored)).all()
    assert durations(np.array([[-1.5, np.nan]])).tolist() == [[dt.timedelta(microseconds=-1500), None]]


def test_time_zones_reach_arrow() -> None:
    from matlens.columns.object_columns import arrow_column

    column = arrow_column("datetime", {"data": np.array([[0.0]]), "tz": np.array(["Europe/Berlin"])})
    assert column.type == pa.timestamp("us", "Europe/Berlin")
    # Stored in UTC, shown in Berlin.
    assert column[0].as_py().isoformat() == "1970-01-01T01:00:00+01:00"


def test_calendar_durations() -> None:
    stored = np.empty((1, 1), [("months", object), ("days", object), ("millis", object)])
    stored[0, 0] = (np.array([[14.0, 0]]), np.array([[0.0, 3]]), np.array([[0.0]]))
    found = calendar_durations(stored)
    assert found["months"].tolist() == [[14, 0]] and found["days"].tolist() == [[0, 3]]
    assert found["time"].dtype == "timedelta64[us]"


def test_ordinal_categories_become_an_ordered_dictionary() -> None:
    names = np.array(["low", "high"], object)
    properties = {"codes": np.array([[2], [0], [1]], np.uint8), "categoryNames": names}
    for ordinal in (False, True):
        column = arrow_column("categorical", properties | {"isOrdinal": np.array([[ordinal]])})
        column.validate(full=True)
        assert column.type == pa.dictionary(pa.int32(), pa.string(), ordered=ordinal)
        assert column.to_pylist() == ["high", None, "low"] and column.dictionary.to_pylist() == ["low", "high"]


def test_categories_may_be_undefined_and_ordered() -> None:
    names = np.array([np.array(["low"]), np.array(["high"])], object).reshape(2, 1)
    found = category_array(np.array([[2], [0], [1]], np.uint8), names, is_ordinal=True).natural()
    assert found.ordered and list(found[[0, 2]]) == ["high", "low"] and pd.isna(found[1])
    table = category_array(np.array([[1, 2], [0, 1]], np.uint8), names, is_ordinal=False).natural()
    assert table.tolist() == [["low", "high"], [None, "low"]]
    with pytest.raises(CorruptFile, match="codes up to 3 for 2 categories"):
        category_array(np.array([[3]], np.uint8), names, is_ordinal=False)


def struct(**fields: Any) -> np.ndarray:
    record = np.empty((1, 1), [(name, object) for name in fields])
    record[0, 0] = tuple(fields.values())
    return record


def cell(*items: Any) -> np.ndarray:
    array = np.empty((1, len(items)), object)
    for k, item in enumerate(items):
        array[0, k] = item
    return array


def test_maps_and_dictionaries() -> None:
    stored = struct(
        keys=cell(np.array(["a"]), np.array(["b"])), values=cell(np.array([[1.0]]), np.array([[2.0, 3]])),
        uniformity=np.array([[False]]), keyType=np.array(["char"]), valueType=np.array(["any"]),
    )  # fmt: skip
    found = convert("containers.Map", {"serialization": stored})
    assert found["a"] == 1.0 and found["b"].tolist() == [[2.0, 3.0]]
    data = struct(Version=np.array([[1.0]]), Key=np.array([["x"], ["y"]], object), Value=np.array([[5.0], [6.0]]))
    assert convert("dictionary", {"data": data}) == {"x": 5.0, "y": 6.0}


def test_a_timetable() -> None:
    times = datetimes(np.array([[0.0], [86_400_000.0]]))
    stored = struct(
        arrayProps=struct(Description=np.zeros(0, "U1")), data=cell(np.array([[1.0], [2.0]])),
        numDims=np.array([[2.0]]), dimNames=cell(np.array(["Time"]), np.array(["Variables"])),
        varNames=cell(np.array(["speed"])), numRows=np.array([[2.0]]), numVars=np.array([[1.0]]),
        varUnits=cell(np.array(["m/s"])), rowTimes=times,
    )  # fmt: skip
    record = {name: stored[name][0, 0] for name in stored.dtype.names}
    made = frame(timetable_parts(record, {}), [np.array([[1.0], [2.0]])], times.ravel())
    assert made.index.tolist() == [pd.Timestamp("1970-01-01"), pd.Timestamp("1970-01-02")]
    assert made["speed"].tolist() == [1, 2] and made.attrs["units"] == {"speed": "m/s"}


MARK = 0xDD000000


@pytest.mark.parametrize("words", [[], [1, 2, 3], [MARK, 2, 1, 1], [MARK, 2, 1, 3, 1, 1], [MARK, 99, 1]])
def test_references_that_do_not_fit(words: list[int]) -> None:
    with pytest.raises(CorruptFile):
        parse_reference(np.array(words, np.uint32))


def test_files_without_objects_have_none(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"x": np.array([[MARK], [2], [1], [1], [1], [1]], np.uint32)})
    with matlens.open(tmp_path / "x.mat") as file:
        assert file._reader.objects() is None
        # Numbers that look like a reference are numbers.
        assert file["x"].matlab_class == "uint32" and file["x"].value.shape == (6, 1)


def test_boxes_of_a_ground_truth(corpus: Any, tmp_path: Path) -> None:
    path = str(corpus("mathworks+Helmet-detection/gTruth.mat"))
    done = run("boxes", path, "-o", str(tmp_path / "b.parquet"))
    assert done.returncode == 0, done.stderr
    assert b"523 boxes at gTruth.any.LabelData(88).Helmet" in done.stderr and b"xywh1" in done.stderr
    table = pq.read_table(tmp_path / "b.parquet")
    assert set(table["label"].to_pylist()) == {"Helmet", "No_helmet"}
    with matlens.open(path) as file:
        stored = file.at("gTruth.any.LabelData(90).Helmet").value
        first = table.filter(pa.compute.equal(table["frame"], 90)).to_pylist()[0]
    assert first["image"] == "metmovie.mp4" and first["time"] == pytest.approx(89 / 30, abs=1e-4)
    x, y, width, height = stored[0].tolist()
    assert [first[name] for name in ("xmin", "ymin", "xmax", "ymax")] == [x - 1, y - 1, x - 1 + width, y - 1 + height]
    done = run("boxes", path, "-o", str(tmp_path / "b.json"), "--image-size", "640", "360")
    assert done.returncode == 0, done.stderr
    coco = json.loads((tmp_path / "b.json").read_text())
    assert len(coco["annotations"]) == 523 and len(coco["images"]) == 990
    assert [category["name"] for category in coco["categories"]] == ["Helmet", "No_helmet"]
    done = run("boxes", path, "-o", str(tmp_path / "yolo"), "--format", "yolo", "--image-size", "640", "360")
    assert done.returncode == 0, done.stderr
    labels = list((tmp_path / "yolo" / "labels").iterdir())
    assert len(labels) == 990 and sum(len(label.read_text().splitlines()) for label in labels) == 523


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 257, 0x1_0005])
def test_metadata_of_every_version(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The low byte counts; as many cells as the version before stand behind the values."""
    with matlens.open(FIXTURES / "objects_v7.mat") as file:
        reader = file._reader
        known = reader.objects()
        assert known is not None
        stored = bytes(known._metadata())
        count = len(known.cells) - (known.version - 1)
        behind = [count + k % (known.version - 1) for k in range((version & 0xFF) - 1)]
        cells = known.cells.take(np.array([*range(count), *behind]))
        words = np.frombuffer(np.uint32(version).tobytes() + stored[4:], np.uint8)
        monkeypatch.setattr(ObjectTable, "_metadata", lambda self: words)
        table = ObjectTable(reader, cells, "<")
        assert [table.class_of(k + 1) for k in range(len(table))] == [known.class_of(k + 1) for k in range(len(known))]
        assert [list(table.properties(k + 1)) for k in range(len(table))] == [
            list(known.properties(k + 1)) for k in range(len(known))
        ]


@pytest.mark.parametrize("version", [0, 6, 255])
def test_metadata_of_a_version_that_was_never_seen(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with matlens.open(FIXTURES / "objects_v7.mat") as file:
        known = file._reader.objects()
        assert known is not None
        words = np.frombuffer(np.uint32(version).tobytes() + bytes(known._metadata())[4:], np.uint8)
        monkeypatch.setattr(ObjectTable, "_metadata", lambda self: words)
        with pytest.raises(UnsupportedValue, match=f"version {version}; 1 to 5 are known"):
            ObjectTable(file._reader, known.cells, "<")


def test_object_data_of_version_5(corpus: Any) -> None:
    with matlens.open(corpus("thirasit+MATLAB/pendulumDisturbanceGS.mat")) as file:
        (node,) = file.values()
        assert node.matlab_class == "Simulink.SimulationData.Dataset" and node.at("any.Name").value == "Group 1"
