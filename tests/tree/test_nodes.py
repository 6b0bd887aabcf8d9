"""Tree, nodes and paths."""

from __future__ import annotations

import collections
import contextlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import matlens
from matlens.errors import MatlensError, PathError
from matlens.tree.nodes.node import Node
from matlens.tree.paths import Index, parse_path, select
from tests.support import FIXTURES, mat_files, scipy_files

VERSIONS = ("v6", "v7", "v73")
BROKEN = {
    "damaged_nosubsys_v7.mat",
    "bad_miuint32.mat",
    "corrupted_mcos_object_metadata.mat",
    "corrupted_subsystem.mat",
    "corrupted_zlib_checksum.mat",
    "corrupted_zlib_data.mat",
    "debigged_m4.mat",
    "malformed1.mat",
}


@pytest.fixture(params=VERSIONS)
def kinds(request: pytest.FixtureRequest) -> Any:
    with matlens.open(FIXTURES / f"kinds_{request.param}.mat") as file:
        yield file


def test_a_closed_file_shows_itself() -> None:
    with matlens.open(FIXTURES / "kinds_v73.mat") as file:
        assert repr(file).startswith("<MatFile kinds_v73.mat: v7.3, 14 variables>")
    assert repr(file) == "<MatFile kinds_v73.mat: closed>"


def test_numbers(kinds: Any) -> None:
    np.testing.assert_array_equal(kinds.at("numbers.f64").value, [[1.5, -2, np.pi], [np.inf, -np.inf, np.nan]])
    assert kinds.at("numbers.f32").value.dtype == np.float32
    assert kinds.at("numbers.narrow").value.dtype == np.float64
    assert kinds.at("numbers.nd").dims == (2, 3, 4)
    assert kinds.at("numbers.nd(2,3,4)").value == 24
    integers = kinds["integers"]
    for name in integers:
        node = integers[name]
        info = np.iinfo(node.matlab_class)
        assert node.value.dtype == np.dtype(node.matlab_class)
        assert node.value.ravel()[:2].tolist() == [info.min, info.max]
    assert integers["i64"].value[0, 2] == 2**53 + 1


def test_complex_logical_text(kinds: Any) -> None:
    assert kinds.at("complex.row").value.tolist() == [[1 + 2j, 3 - 4j]]
    assert kinds.at("complex.row").is_complex
    assert kinds.at("logicals.matrix").value.tolist() == [[True, False], [False, True]]
    assert kinds.at("logicals.matrix").matlab_class == "logical"
    assert kinds.at("text.row").value == "hello world"
    assert kinds.at("text.matrix").value.tolist() == ["abc", "def"]
    assert kinds.at("text.empty").value == ""
    # reshape('abcdefghijkl', 2, 3, 2): rows of page 1 are ace, bdf; of page 2 gik, hjl
    assert kinds.at("text.nd").value.tolist() == [["ace", "gik"], ["bdf", "hjl"]]
    assert kinds.at("text.row(1:5)").value == "hello"


def test_cells_and_structs(kinds: Any) -> None:
    cells = kinds["cells"]
    assert cells.dims == (2, 3) and cells.value.shape == (2, 3)
    assert kinds.at("cells{1,2}").value == "two"
    assert kinds.at("cells{2,1}{2}{1}").value == 8
    assert kinds.at("cells(1,:)").dims == (1, 3)
    assert kinds.at("cells(1,2:3)").value[0] == "two"
    structs = kinds["structs"]
    assert structs.dims == (1, 3) and structs[1]["a"].value == "x"
    assert kinds.at("structs(3).b.c").value == 5
    assert [child.path for child in structs["a"].children()] == ["structs(1).a", "structs(2).a", "structs(3).a"]
    assert kinds.at("nested.level1.level2.level3").value == "deep"
    assert kinds["empty_struct"].dims == (0, 0) and kinds["empty_struct"].fields() == ("a",)
    assert kinds["no_fields"].dims == (1, 1) and len(kinds["no_fields"]) == 0


def test_sparse(kinds: Any) -> None:
    expected = scipy.sparse.csc_array(([10, -20, 30.5], ([0, 2, 1], [0, 1, 3])), shape=(4, 5))
    found = kinds["sparse_real"].value
    assert isinstance(found, scipy.sparse.csc_array)
    assert (found != expected).nnz == 0 and found.shape == (4, 5)
    assert kinds["sparse_real"].matlab_class == "double" and kinds["sparse_real"].is_sparse
    assert kinds["sparse_complex"].value.toarray().tolist() == [[0, 1 + 1j], [2 - 3j, 0]]
    assert kinds["sparse_empty"].value.nnz == 0
    assert kinds.at("sparse_real(2:3,:)").value.toarray().tolist() == expected.toarray()[1:3].tolist()


def test_empties_keep_their_dims(kinds: Any) -> None:
    dims = {name: kinds.at(f"empties.{name}").dims for name in kinds["empties"]}
    assert dims == {
        "e00": (0, 0),
        "e03": (0, 3),
        "e10": (1, 0),
        "e203": (2, 0, 3),
        "cell": (0, 0),
        "cell03": (0, 3),
        "int": (0, 2),
    }
    assert kinds.at("empties.int").value.dtype == np.int16
    assert kinds.at("empties.e203").value.shape == (2, 0, 3)


def test_v4() -> None:
    with matlens.open(FIXTURES / "kinds_v4.mat") as file:
        assert file.version == "v4"
        assert file["matrix"].value.tolist() == [[1, 2, 3], [4, 5, 6]]
        assert file["complex_matrix"].value.tolist() == [[1 + 2j, 3 - 4j]]
        assert file["text_matrix"].value.tolist() == ["abc", "def"]
        assert file["sparse_matrix"].value.toarray()[2, 0] == 8.5
        assert file["empty"].dims == (0, 0)


@pytest.mark.parametrize("path", mat_files())
def test_every_file_decodes_completely(path: Path) -> None:
    with matlens.open(path) as file:
        errors = []
        for node in file.values():
            errors += list(walk(node))
        if path.name not in BROKEN:
            assert errors == [] and file.problems == []
        else:
            assert errors
        for error in errors:
            assert str(error).startswith(f"{path.name}: ")


MOST_NODES = 2000
"""Nodes of a variable that are looked at one by one; `to_numpy` reads all of it."""


def walk(top: Node) -> Any:
    """Read a variable, and its first nodes level by level; yield the errors."""
    waiting = collections.deque([top])
    for _ in range(MOST_NODES):
        if not waiting:
            return
        node = waiting.popleft()
        try:
            value = node.value
            assert not (isinstance(value, str) and value.startswith("Read error"))
            node.preview()
            if node is top or node.kind in ("struct", "object", "struct array"):
                node.to_numpy()
            waiting.extend(node.children())
        except MatlensError as error:
            yield error


@pytest.mark.parametrize("path", mat_files("**/v7*/*"))
def test_every_path_leads_back_to_its_node(path: Path) -> None:
    with matlens.open(path) as file:
        for top in file.values():
            for node in itertools.islice(descend(top), 200):
                for text in (node.path, node.python_path.removeprefix("file")):
                    found = file.at(text)
                    assert what_it_is(found) == what_it_is(node)
                assert path.name in BROKEN or not isinstance(what_it_is(node), str)


def what_it_is(node: Node) -> tuple[tuple[int, ...], str] | str:
    """Dims and class, or the error that takes their place."""
    try:
        return node.dims, node.matlab_class
    except MatlensError as error:
        return str(error)


def descend(node: Node) -> Any:
    yield node
    with contextlib.suppress(MatlensError):
        for child in node.children(0, 50):
            yield from descend(child)


def test_paths_in_both_forms() -> None:
    with matlens.open(FIXTURES / "annotations_v7.mat") as file:
        for path in ("annotations(3).boxes", '["annotations"][2]["boxes"]', "annotations(1,3).boxes"):
            assert file.at(path).value.tolist()[0] == [165, 119, 218, 176]
        assert file.at("annotations(end).image").value == "00070.jpg"
        assert file.at("annotations(end-1:end)").dims == (1, 2)
        assert file["annotations"][-1]["image"].value == "00070.jpg"
        assert file["annotations"][1:3].path == "annotations(2:3)"
        assert file["annotations"][1:3][0]["image"].path == "annotations(2).image"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("annotation", "did you mean 'annotations'"),
        ("annotations(3).boxs", "did you mean 'boxes'"),
        ("annotations(71)", "index 71 is out of range, 1 to 70"),
        ("annotations(0)", "annotations: index 0 is out of range, 1 to 70"),
        ("annotations{1}", "braces go into a cell"),
        ("annotations(3", "no closing"),
        ("annotations..x", "expected a name"),
        ("annotations(x)", "no number"),
        ("(3)", "begins with the name"),
        ("", "empty"),
        ("annotations(3).image.x", "has no fields"),
        ("annotations[3]", r'annotations\(4\) or \["annotations"\]\[3\]'),
        ("annotations[-1].image", r'annotations\(end\).image or \["annotations"\]\[-1\]\["image"\]'),
        ('annotations(3)["image"]', r'annotations\(3\).image or \["annotations"\]\[2\]\["image"\]'),
        ('["annotations"](end-1)', r'annotations\(end-1\) or \["annotations"\]\[-2\]'),
        ('["annotations"][0:2](1)', r'annotations\(1:2\)\(1\) or \["annotations"\]\[0:2\]\[0\]'),
    ],
)
def test_bad_paths_say_what_is_wrong(path: str, message: str) -> None:
    with matlens.open(FIXTURES / "annotations_v7.mat") as file, pytest.raises(PathError, match=message) as caught:
        file.at(path)
    assert "annotations_v7.mat" in str(caught.value)
    assert isinstance(caught.value, KeyError) and isinstance(caught.value, IndexError)


def test_odd_field_names() -> None:
    data = {"s": np.array([((1.0,),)], dtype=[('a "b" c', object)])}
    node = matlens.from_loadmat(data)["s"]
    child = node.children()[0]
    assert child.path == 's.("a ""b"" c")'
    assert matlens.from_loadmat(data).at(child.path).name == 'a "b" c'
    assert matlens.from_loadmat(data).at(child.python_path.removeprefix("file")).name == 'a "b" c'


@pytest.mark.parametrize("text", ["2,:", ":", "1:2:end", "end:-1:1", "2:end,1", "3", ":,:,1"])
def test_selections_equal_numpy(text: str) -> None:
    array = np.arange(60).reshape(3, 4, 5, order="F")
    chosen = select(Index("(", text), array.shape)
    table = {
        "2,:": array.reshape(3, 20, order="F")[1:2],
        ":": array.ravel("F")[:, None],
        "1:2:end": array.ravel("F")[None, ::2],
        "end:-1:1": array.ravel("F")[None, ::-1],
        "2:end,1": array.reshape(3, 20, order="F")[1:, :1],
        "3": array.ravel("F")[2].reshape(1, 1),
        ":,:,1": array[:, :, :1],
    }
    expected = table[text]
    found = array.ravel("F")[chosen.linear].reshape(chosen.dims, order="F")
    np.testing.assert_array_equal(found, expected.reshape(chosen.dims))
    again = select(parse_path("x" + chosen.matlab)[1], array.shape)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again.linear, chosen.linear)


def test_a_plane_is_a_matrix_as_in_matlab() -> None:
    node = matlens.from_loadmat({"x": np.arange(24.0).reshape(2, 3, 4)})
    assert node.at("x(:,:,2)").dims == (2, 3)
    assert node.at("x(:,1,2)").dims == (2, 1)
    assert node.at("x(1,:,2)").dims == (1, 3)
    assert node.at("x(1,2,:)").dims == (1, 1, 4)
    assert node.at("x(:,:,2)").value.shape == (2, 3)


def test_mapping_and_context_manager(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"a": 1.0, "b": "t"})
    with matlens.open(str(tmp_path / "x.mat")) as file:
        assert set(file) == {"a", "b"} and len(file) == 2 and "a" in file
        assert file.version == "v6" and file.header.startswith("MATLAB 5.0")
        value = file["a"].value
    assert value.tolist() == [[1.0]]


def test_get_takes_names_and_never_raises() -> None:
    with matlens.open(FIXTURES / "annotations_v7.mat") as file:
        nothing: Any = 5
        assert file.get("annotations") is file["annotations"]
        assert file.get("annotation") is None and file.get("annotations(3)") is None and file.get(nothing) is None
        assert file.get("annotation", 0) == 0 and nothing not in file


def test_repr_and_html_escape_what_files_hold() -> None:
    evil = "\x1b]0;PWNED\x07<script>"
    file = matlens.from_loadmat({"x": np.array([(evil,)], dtype=[(evil, object)]), evil: np.array([evil])})
    for text in (repr(file), repr(file["x"]), file._repr_html_(), file[evil]._repr_html_()):
        assert "\x1b" not in text and "\x07" not in text and "\\x1b" in text
    assert "<script>" not in file._repr_html_()


def test_v73_opens_lazily() -> None:
    with matlens.open(FIXTURES / "annotations_v73.mat") as file:
        assert list(file) == ["annotations"]
        assert file["annotations"].dims == (1, 70)
        assert file.stats["single"] + file.stats["batch"] == 0
        file.at("annotations(3).image").value
        assert file.stats["single"] + file.stats["batch"] < 5


def test_two_v73_files_open_at_once() -> None:
    with matlens.open(FIXTURES / "faces_v73.mat") as faces, matlens.open(FIXTURES / "digits_v73.mat") as digits:
        assert faces.at("file_list{1}{2}").value == "p_2"
        assert digits.at("digitStruct(2).name").value == "2.png"


def test_opaque_objects_are_listed_and_do_no_harm(corpus: Any) -> None:
    for version in ("v7", "v7.3"):
        with matlens.open(corpus(f"JuliaIO+MAT.jl/test/{version}/user_defined_classdefs.mat")) as file:
            assert file["obj_array"].matlab_class == "TestClasses.BasicClass"
            assert file["obj_array"].dims == (2, 2)


def test_function_handles_and_old_objects(corpus: Any) -> None:
    for version in ("v7", "v7.3"):
        with matlens.open(corpus(f"JuliaIO+MAT.jl/test/{version}/function_handles.mat")) as file:
            assert file["sin"].matlab_class == "function_handle"
            assert file["sin"].value == "sin"
            assert file["anonymous"].value.startswith("@(")
        with matlens.open(corpus(f"JuliaIO+MAT.jl/test/{version}/old_class_array.mat")) as file:
            node = file["class_arr"]
            assert node.matlab_class == "TestClassOld" and node.dims == (1, 2)
            assert tuple(node[0].keys()) == node.fields() and node[0].keys()
            assert node[1].to_python() == matlens.decode(matlens.loadmat(file.path)["class_arr"])[1]


def test_surrogates_in_chars(corpus: Any) -> None:
    for version in ("v7", "v7.3"):
        with matlens.open(corpus(f"JuliaIO+MAT.jl/test/{version}/char_unicode.mat")) as file:
            for node in file.values():
                value = node.value
                texts = [value] if isinstance(value, str) else value.ravel().tolist()
                assert all(text.encode("utf-16-le", "surrogatepass") for text in texts)


def test_duplicate_field_names_get_a_prefix_as_in_scipy() -> None:
    path = [p.values[0] for p in scipy_files() if p.id == "nasty_duplicate_fieldnames.mat"][0]
    with matlens.open(path) as file:
        names = file["Summary"].fields()
    assert names == scipy.io.loadmat(path)["Summary"].dtype.names
