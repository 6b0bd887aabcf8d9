"""Regions of an image: where it is above a threshold, and how large each such place is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matlens.errors import ShapeMismatch, TypeMismatch, UnsupportedValue
from matlens.helpers.arrays import as_array
from matlens.helpers.measures import Regions
from matlens.helpers.runs import Runs, connect, find_runs

Comparison = Literal[">", ">=", "<", "<="]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}


def regionprops(
    mask_or_labels: ArrayLike, /, *, intensity: ArrayLike | None = None, connectivity: int = 1, background: float = 0
) -> Regions:
    """Measure the regions of a mask or of a label image.

    Parameters
    ----------
    mask_or_labels : array_like
        1-D or more. Booleans are a mask, whose touching pixels make up regions, numbered from 1 in
        raster order of their first pixels. Numbers are labels, as `bwlabel` gives them: pixels of one label are
        one region, wherever they lie. Doubles are taken if they are whole, for MATLAB stores labels so.
    intensity : array_like, optional
        An image of the same shape, measured in every region.
    connectivity : int, default 1
        How many coordinates of two touching pixels may differ by one, as in scikit-image: in an image 1 stands for 4
        neighbours, 2 for the 8 that MATLAB's `regionprops` takes. For masks only.
    background : number, default 0
        Label that is no region.

    Returns
    -------
    Regions
        Sorted by label.

    Raises
    ------
    ShapeMismatch
        A single number instead of an array; `intensity` of another shape; a `connectivity` beyond the axes.
    TypeMismatch
        Complex numbers, or doubles that are not whole.

    See Also
    --------
    find_regions : of an image above a threshold.

    Notes
    -----
    Area, box, extent and moments are those of scikit-image's `regionprops`, with its definitions.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.array([[1, 0, 1], [0, 1, 1]], dtype=bool)
    >>> regionprops(mask).area
    array([1, 3])
    >>> regionprops(mask, connectivity=2).area
    array([4])
    """
    labels = as_array(mask_or_labels)
    _check(labels, connectivity)
    image = None if intensity is None else _intensity_image(intensity, labels.shape)
    if labels.dtype == np.bool_:
        runs = find_runs(labels, key=lambda block: block, background=bool(background), intensity=image)
        return _of_mask(runs, connectivity)
    runs = find_runs(labels, key=_whole, background=background, intensity=image)
    label, region = np.unique(runs.value, return_inverse=True)
    return _grouped(runs, region, label)


def find_regions(
    image: ArrayLike, threshold: float, /, *, comparison: Comparison = ">", connectivity: int = 1, min_area: int = 1
) -> Regions:
    """Where an image is above a threshold.

    Parameters
    ----------
    image : array_like
        Numbers, 1-D or more.
    threshold : float
        Pixels above it belong to regions. NaN never does.
    comparison : {">", ">=", "<", "<="}, default ">"
        How pixels compare with the threshold.
    connectivity : int, default 1
        As in `regionprops`: 1 for 4 neighbours in an image, 2 for 8.
    min_area : int, default 1
        Regions of fewer pixels are left out; the others keep their labels.

    Returns
    -------
    Regions
        Numbered from 1 in raster order, measured in `image`.

    Raises
    ------
    ShapeMismatch
        A single number instead of an array; a `connectivity` beyond the axes.
    TypeMismatch
        Complex numbers.
    UnsupportedValue
        Another `comparison`.

    Examples
    --------
    Where is this image above 6, and how large is the place?

    >>> import numpy as np
    >>> image = np.array([[1, 2, 3, 4, 4, 4], [1, 2, 6, 10, 9, 7], [2, 3, 11, 15, 16, 7],
    ...                   [1, 2, 7, 8, 9, 7], [6, 7, 8, 9, 10, 7], [4, 4, 4, 4, 4, 4]])
    >>> regions = find_regions(image, 6)
    >>> regions.area, regions.bbox, regions.xywh
    (array([16]), array([[1, 1, 5, 6]]), array([[1, 1, 5, 4]]))

    With these rows there are two:

    >>> image[0], image[2] = [1, 2, 3, 7, 7, 7], [2, 3, 4, 4, 4, 4]
    >>> find_regions(image, 6).area
    array([6, 9])
    """
    pixels = as_array(image)
    _check(pixels, connectivity)
    if comparison not in _COMPARISONS:
        raise UnsupportedValue(f"no comparison {comparison!r}; there are {' '.join(_COMPARISONS)}")
    compare = _COMPARISONS[comparison]
    runs = find_runs(pixels, key=lambda block: compare(block, threshold), background=False, intensity=pixels)
    regions = _of_mask(runs, connectivity)
    return regions if min_area <= 1 else regions.take(regions.area >= min_area)


def _of_mask(runs: Runs, connectivity: int) -> Regions:
    count, region = connect(runs, connectivity)
    return _grouped(runs, region, np.arange(1, count + 1))


def _grouped(runs: Runs, region: NDArray[Any], label: NDArray[Any]) -> Regions:
    """Bring the runs of each region together."""
    order = np.argsort(region, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(region, minlength=len(label)))])
    return Regions(runs.take(order), label, offsets)


def _check(array: NDArray[Any], connectivity: int) -> None:
    if array.ndim == 0:
        raise ShapeMismatch("regions need an array of at least one axis, a single number given")
    if not 1 <= connectivity <= array.ndim:
        raise ShapeMismatch(f"connectivity is 1 to {array.ndim}, the number of axes; {connectivity} given")
    if array.dtype.kind not in "biuf":
        raise TypeMismatch(f"regions are found in real numbers and logicals, {array.dtype} given")


def _intensity_image(intensity: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    image = as_array(intensity)
    if image.shape != shape:
        raise ShapeMismatch(f"intensity has shape {image.shape}, the mask or labels {shape}")
    if image.dtype.kind not in "biuf":
        raise TypeMismatch(f"intensities are real numbers, {image.dtype} given")
    return image


def _whole(block: NDArray[Any]) -> NDArray[Any]:
    if block.dtype.kind != "f":
        return block
    with np.errstate(invalid="ignore"):
        whole = block.astype(np.int64)
    if not np.array_equal(whole, block):
        raise TypeMismatch("labels are whole numbers; the regions of an image need a threshold, as in find_regions")
    return whole
