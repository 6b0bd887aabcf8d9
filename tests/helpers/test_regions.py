"""Regions of masks, labels and images, against scikit-image, OpenCV and hand-made ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matlens import errors
from matlens.helpers import find_regions, regionprops

measure = pytest.importorskip("skimage.measure")

SKIMAGE = {
    "area": "area",
    "bbox_area": "area_bbox",
    "extent": "extent",
    "mean_intensity": "intensity_mean",
    "min_intensity": "intensity_min",
    "max_intensity": "intensity_max",
}
ELLIPSE = {
    "eccentricity": "eccentricity",
    "axis_major_length": "axis_major_length",
    "axis_minor_length": "axis_minor_length",
}


def random_mask(seed: int, shape: tuple[int, ...], density: float) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < density


def compare(regions, labels: np.ndarray, image: np.ndarray | None = None) -> None:
    names = dict(SKIMAGE) if image is not None else {a: b for a, b in SKIMAGE.items() if "intensity" not in a}
    if labels.ndim == 2:
        names |= ELLIPSE
    expected = measure.regionprops_table(labels, image, properties=("label", "bbox", "centroid", *names.values()))
    assert regions.label.tolist() == expected["label"].tolist()
    for axis in range(2 * labels.ndim):
        assert regions.bbox[:, axis].tolist() == expected[f"bbox-{axis}"].tolist()
    for axis in range(labels.ndim):
        np.testing.assert_allclose(regions.centroid[:, axis], expected[f"centroid-{axis}"], rtol=1e-12)
    for ours, theirs in names.items():
        # The square root of a difference that is zero but for rounding.
        np.testing.assert_allclose(getattr(regions, ours), expected[theirs], rtol=1e-6, atol=1e-6, err_msg=ours)


@pytest.mark.parametrize("density", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize(("shape", "connectivity"), [((61, 83), 1), ((61, 83), 2), ((1, 50), 1), ((50, 1), 2)])
def test_masks_as_scikit_image(shape: tuple[int, ...], connectivity: int, density: float) -> None:
    mask = random_mask(1, shape, density)
    image = np.random.default_rng(2).normal(size=shape)
    labels = measure.label(mask, connectivity=connectivity)
    regions = regionprops(mask, intensity=image, connectivity=connectivity)
    compare(regions, labels, image)
    assert (regions.label_image() == labels).all()


@pytest.mark.parametrize("connectivity", [1, 2, 3])
@pytest.mark.parametrize("density", [0.02, 0.4])
def test_three_dimensions_as_scikit_image(connectivity: int, density: float) -> None:
    mask = random_mask(3, (12, 17, 9), density)
    labels = measure.label(mask, connectivity=connectivity)
    compare(regionprops(mask, connectivity=connectivity), labels)


def test_four_dimensions_as_scikit_image() -> None:
    mask = random_mask(4, (5, 4, 6, 7), 0.05)
    for connectivity in (1, 2, 3, 4):
        labels = measure.label(mask, connectivity=connectivity)
        assert (regionprops(mask, connectivity=connectivity).label_image() == labels).all()


def test_one_dimension() -> None:
    regions = regionprops(np.array([1, 1, 0, 0, 1, 1, 1], bool))
    assert regions.bbox.tolist() == [[0, 2], [4, 7]]
    assert regions.centroid.tolist() == [[0.5], [5.0]]
    assert list(regions.columns()) == ["label", "area", "bbox_area", "min_0", "max_0", "centroid_0", "extent"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64, np.float32])
def test_labels_in_pieces_are_one_region(dtype: type) -> None:
    labels = np.array([[3, 0, 3], [0, 7, 7], [3, 0, 0]], dtype)
    compare(regionprops(labels), labels.astype(int))


def test_another_background() -> None:
    regions = regionprops(np.array([[5, 1, 1], [0, 5, 2]]), background=5)
    assert dict(zip(regions.label.tolist(), regions.area.tolist(), strict=True)) == {0: 1, 1: 2, 2: 1}
    assert regionprops(np.array([True, False, False]), background=True).area.tolist() == [2]


@settings(max_examples=150, deadline=None)
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=1, max_dims=3, max_side=9)), st.data())
def test_any_mask_has_the_labels_of_scikit_image(mask: np.ndarray, data) -> None:
    connectivity = data.draw(st.integers(1, mask.ndim))
    expected = measure.label(mask, connectivity=connectivity)
    assert (regionprops(mask, connectivity=connectivity).label_image() == expected).all()


def test_runs_and_pixels_give_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    from matlens.helpers import runs

    mask = random_mask(5, (70, 70), 0.5)
    pixels = regionprops(mask).label_image()
    monkeypatch.setattr(runs, "_NOISY", 0)
    assert (regionprops(mask).label_image() == pixels).all()


def test_an_image_of_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from matlens.helpers import runs

    image = np.random.default_rng(6).normal(size=(40, 33))
    whole = find_regions(image, 0.2)
    monkeypatch.setattr(runs, "_BLOCK_PIXELS", 64)
    pieces = find_regions(image, 0.2)
    for name, column in whole.columns().items():
        np.testing.assert_array_equal(column, pieces.columns()[name], err_msg=name)


def test_components_as_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    mask = random_mask(7, (120, 90), 0.4)
    count, _, stats, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    regions = regionprops(mask)
    assert len(regions) == count - 1
    ours = sorted(
        map(tuple, np.column_stack([regions.xywh, regions.area, regions.centroid[:, ::-1]]).round(6).tolist())
    )
    theirs = sorted(map(tuple, np.column_stack([stats[1:], centroids[1:]]).round(6).tolist()))
    assert ours == theirs


@pytest.mark.parametrize(("comparison", "area"), [(">", [1]), (">=", [4]), ("<", [2]), ("<=", [5])])
def test_comparisons(comparison: str, area: list[int]) -> None:
    image = np.array([[0, 0, 1], [1, 1, 2]])
    assert find_regions(image, 1, comparison=comparison).area.tolist() == area


def test_nan_is_no_region() -> None:
    image = np.array([[np.nan, 2.0], [2.0, np.nan]])
    assert find_regions(image, 1).area.tolist() == [1, 1]
    assert find_regions(image, 3, comparison="<").area.tolist() == [1, 1]
    assert len(find_regions(np.full((3, 3), np.nan), 0)) == 0


def test_intensity_with_nan_is_nan() -> None:
    regions = regionprops(np.array([[1, 1, 2]]), intensity=np.array([[1.0, np.nan, 5.0]]))
    assert np.isnan(regions.mean_intensity[0])
    assert regions.mean_intensity[1] == 5


def test_small_integers_do_not_overflow() -> None:
    image = np.full((40, 40), 255, np.uint8)
    regions = find_regions(image, 0)
    assert regions.mean_intensity.tolist() == [255]
    assert regions.max_intensity.dtype == np.uint8


def test_small_regions_are_left_out() -> None:
    image = np.array([[9, 0, 9, 9], [0, 0, 0, 9]])
    regions = find_regions(image, 5, min_area=2)
    assert regions.label.tolist() == [2]
    assert regions.bbox.tolist() == [[0, 2, 2, 4]]
    assert len(find_regions(image, 5, min_area=100)) == 0


@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (0, 0), (2, 0, 3)])
def test_empty_images_have_no_regions(shape: tuple[int, ...]) -> None:
    for regions in (regionprops(np.zeros(shape, bool)), find_regions(np.zeros(shape), 0), regionprops(np.zeros(shape))):
        assert len(regions) == 0
        assert regions.bbox.shape == (0, 2 * len(shape))
        assert all(len(column) == 0 for column in regions.columns().values())
        assert regions.to_arrow().num_rows == 0


@pytest.mark.parametrize("value", [True, False])
def test_all_equal(value: bool) -> None:
    regions = regionprops(np.full((3, 4), value))
    assert regions.area.tolist() == ([12] if value else [])
    assert regionprops(np.full((1, 1), value)).area.tolist() == ([1] if value else [])


def test_a_single_pixel_and_a_line() -> None:
    regions = regionprops(np.array([[1, 0, 1, 1, 1]], bool))
    assert regions.eccentricity.tolist() == [0.0, 1.0]
    assert regions.axis_major_length[0] == 0


def test_crops() -> None:
    mask = random_mask(8, (30, 40), 0.5)
    regions = regionprops(mask, connectivity=2)
    expected = measure.regionprops(measure.label(mask, connectivity=2))
    for index in (0, 3, len(regions) - 1, -1):
        assert (regions.image(index) == expected[index].image).all()
    volume = random_mask(9, (6, 7, 8), 0.2)
    crop = regionprops(volume).image(2)
    assert (crop == measure.regionprops(measure.label(volume, connectivity=1))[2].image).all()
    with pytest.raises(IndexError):
        regions.image(len(regions))


def test_a_crop_whose_runs_touch_both_edges() -> None:
    assert regionprops(np.array([[1, 1], [1, 1], [0, 1]], bool)).image(0).tolist() == [[1, 1], [1, 1], [0, 1]]


def test_columns_by_name() -> None:
    regions = find_regions(np.array([[0, 2], [2, 2]]), 1)
    assert list(regions.columns()) == [
        "label", "area", "bbox_area", "min_row", "min_col", "max_row", "max_col", "x", "y", "width", "height",
        "centroid_row", "centroid_col", "extent", "mean_intensity", "min_intensity", "max_intensity",
    ]  # fmt: skip
    assert regions.to_arrow(["area", "eccentricity"]).column_names == ["area", "eccentricity"]
    with pytest.raises(errors.UnsupportedValue, match="no measure 'perimeter'"):
        regions.columns(["perimeter"])


def test_boxes_have_the_columns_of_the_box_table() -> None:
    regions = regionprops(np.array([[0, 1, 1], [0, 1, 0]], bool))
    assert regions.to_boxes().to_pylist() == [{"label": 1, "xmin": 1.0, "ymin": 0.0, "xmax": 3.0, "ymax": 2.0}]


def test_sparse_and_arrow_input() -> None:
    import pyarrow as pa
    from scipy.sparse import csc_array

    mask = random_mask(10, (9, 9), 0.5)
    assert regionprops(csc_array(mask)).area.tolist() == regionprops(mask).area.tolist()
    table = pa.table({f"x{i}": mask[:, i].astype(float) for i in range(9)})
    assert find_regions(table, 0.5).area.tolist() == regionprops(mask).area.tolist()


def test_arrays_in_other_orders() -> None:
    mask = random_mask(11, (20, 30), 0.5)
    expected = regionprops(mask).bbox.tolist()
    assert regionprops(np.asfortranarray(mask)).bbox.tolist() == expected
    assert regionprops(np.repeat(mask, 2, axis=1)[:, ::2]).bbox.tolist() == expected
    assert find_regions(mask.astype(">f8"), 0.5).bbox.tolist() == expected


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: regionprops(True), errors.ShapeMismatch, "a single number"),
        (lambda: regionprops(np.zeros((2, 2)), connectivity=3), errors.ShapeMismatch, "connectivity is 1 to 2"),
        (lambda: regionprops(np.zeros((2, 2)), connectivity=0), errors.ShapeMismatch, "connectivity is 1 to 2"),
        (lambda: regionprops(np.zeros((2, 2)), intensity=np.zeros((2, 3))), errors.ShapeMismatch, r"\(2, 3\)"),
        (lambda: regionprops(np.full((2, 2), 0.5)), errors.TypeMismatch, "whole numbers; .*threshold"),
        (lambda: regionprops(np.full((2, 2), np.nan)), errors.TypeMismatch, "whole numbers"),
        (lambda: find_regions(np.zeros((2, 2), complex), 1), errors.TypeMismatch, "complex128"),
        (lambda: find_regions([["a"]], 1), errors.TypeMismatch, "<U1"),
        (lambda: find_regions([[1]], 1, comparison="="), errors.UnsupportedValue, "no comparison '='"),
        (lambda: regionprops([1]).mean_intensity, errors.UnsupportedValue, "no intensities"),
        (lambda: regionprops([1]).to_boxes(), errors.ShapeMismatch, "1-D given"),
        (lambda: regionprops([1]).eccentricity, errors.ShapeMismatch, "1-D given"),
    ],
)
def test_wrong_input(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
