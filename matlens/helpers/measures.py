"""What is measured of regions: area, box, centroid, ellipse and intensities, each for all regions at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matlens.errors import ShapeMismatch, UnsupportedValue
from matlens.helpers.column_table import ColumnTable
from matlens.helpers.runs import Intensity, Runs, draw

if TYPE_CHECKING:
    import pyarrow as pa


class Regions(ColumnTable):
    """Measures of all regions of an image, each an array with a row for each region.

    Made by `regionprops` and `find_regions`. Pixels count from 0; boxes are half-open, so that
    ``image[min_row:max_row, min_col:max_col]`` is the box. What is not asked for is not computed.

    Examples
    --------
    >>> import numpy as np
    >>> from matlens.helpers import regionprops
    >>> regions = regionprops(np.array([[1, 1, 0, 2], [1, 0, 0, 2]]))
    >>> regions.label, regions.area
    (array([1, 2]), array([3, 2]))
    >>> regions.bbox
    array([[0, 0, 2, 2],
           [0, 3, 2, 4]])
    >>> regions.centroid[1]
    array([0.5, 3. ])
    >>> regions.to_pandas()[["label", "area", "x", "y", "width", "height"]]
       label  area  x  y  width  height
    0      1     3  0  0      2       2
    1      2     2  3  0      1       2
    """

    def __init__(self, runs: Runs, label: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        self._runs = runs
        self._offsets = offsets
        self.label = label
        self.shape = runs.shape

    def __len__(self) -> int:
        return len(self.label)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"<Regions: {len(self):,} in {size}>"

    @property
    def ndim(self) -> int:
        """How many axes the image has."""
        return len(self.shape)

    @cached_property
    def area(self) -> NDArray[np.int64]:
        """Pixels of each region, int64 of shape (n,)."""
        return self._sum(self._runs.stop - self._runs.start)

    @cached_property
    def bbox(self) -> NDArray[np.int64]:
        """Half-open boxes (min_row, min_col, max_row, max_col), int64 of shape (n, 2 * ndim)."""
        lines = self._runs.coordinates()
        low = [self._reduce(np.minimum, axis) for axis in (*lines, self._runs.start)]
        high = [self._reduce(np.maximum, axis) + 1 for axis in (*lines, self._runs.stop - 1)]
        return np.stack([*low, *high], axis=1)

    @cached_property
    def bbox_area(self) -> NDArray[np.int64]:
        """Pixels of each box, int64 of shape (n,)."""
        return np.asarray(np.prod(self.bbox[:, self.ndim :] - self.bbox[:, : self.ndim], axis=1))

    @cached_property
    def xywh(self) -> NDArray[np.int64]:
        """Boxes as COCO has them, int64 of shape (n, 4): x and y of the corner from 0, width, height."""
        min_row, min_col, max_row, max_col = self._plane("xywh").bbox.T
        return np.stack([min_col, min_row, max_col - min_col, max_row - min_row], axis=1)

    @cached_property
    def centroid(self) -> NDArray[np.float64]:
        """Mean coordinates of the pixels, float64 of shape (n, ndim): (row, column), counted from 0."""
        length = self._runs.stop - self._runs.start
        sums = [self._sum(axis * length) for axis in self._middles()]
        return np.stack(sums, axis=1) / self.area[:, None]

    @cached_property
    def extent(self) -> NDArray[np.float64]:
        """Share of its box that a region fills, float64 of shape (n,)."""
        return self.area / self.bbox_area

    @property
    def has_intensity(self) -> bool:
        """Whether an image was given besides the mask."""
        return self._runs.intensity is not None

    @cached_property
    def mean_intensity(self) -> NDArray[np.float64]:
        """Mean of the image in each region, float64 of shape (n,)."""
        return self._sum(self._intensity.total) / self.area

    @cached_property
    def min_intensity(self) -> NDArray[Any]:
        """Smallest value of the image in each region, of its dtype."""
        return self._reduce(np.minimum, self._intensity.smallest)

    @cached_property
    def max_intensity(self) -> NDArray[Any]:
        """Largest value of the image in each region, of its dtype."""
        return self._reduce(np.maximum, self._intensity.largest)

    @cached_property
    def axis_major_length(self) -> NDArray[np.float64]:
        """Long axis of the ellipse with the second moments of the region, in pixels, float64 of shape (n,).

        It is 4 times the root of the larger eigenvalue. MATLAB adds 1/12, the second moment of a
        pixel, to the eigenvalues; scikit-image and this do not.
        """
        return np.asarray(4 * np.sqrt(self._eigenvalues[:, 1]))

    @cached_property
    def axis_minor_length(self) -> NDArray[np.float64]:
        """Short axis of that ellipse, in pixels."""
        return np.asarray(4 * np.sqrt(self._eigenvalues[:, 0]))

    @cached_property
    def eccentricity(self) -> NDArray[np.float64]:
        """Distance of the foci over the long axis of that ellipse: 0 for a circle or one pixel, 1 for a line."""
        small, large = self._eigenvalues.T
        with np.errstate(invalid="ignore"):
            ratio = np.where(large > 0, small / large, 1.0)
        return np.asarray(np.sqrt(1 - ratio))

    def image(self, index: int, /) -> NDArray[np.bool_]:
        """The region in its box, as a mask.

        Parameters
        ----------
        index : int
            Row of the region, from 0; not its label.

        Raises
        ------
        IndexError
            No such row.
        """
        row = range(len(self))[index]
        low, high = self.bbox[row, : self.ndim], self.bbox[row, self.ndim :]
        size = tuple(int(n) for n in high - low)
        runs = self._runs.take(np.arange(self._offsets[row], self._offsets[row + 1]))
        line = np.zeros(len(runs), np.int64)
        if len(size) > 1:
            where = tuple(axis - first for axis, first in zip(runs.coordinates(), low[:-1], strict=True))
            line = np.ravel_multi_index(where, size[:-1]).astype(np.int64)
        return draw(Runs(size, line, runs.start - low[-1], runs.stop - low[-1], runs.value))

    def label_image(self) -> NDArray[np.int64]:
        """An image of the labels, 0 outside all regions."""
        length = self._runs.stop - self._runs.start
        labels = np.zeros(self.shape, np.int64)
        first = self._runs.line * self.shape[-1] + self._runs.start
        behind = np.cumsum(length)
        pixels = np.arange(behind[-1] if len(behind) else 0) + np.repeat(first - (behind - length), length)
        labels.reshape(-1)[pixels] = np.repeat(self.label, self.area)
        return labels

    def measures(self) -> tuple[str, ...]:
        """Names of the measures that `columns` takes by default: those that cost little and that the image has."""
        plane = ("xywh",) if self.ndim == 2 else ()
        measured = ("mean_intensity", "min_intensity", "max_intensity") if self.has_intensity else ()
        return ("label", "area", "bbox_area", "bbox", *plane, "centroid", "extent", *measured)

    def columns(self, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Named columns of shape (n,): the measures above, those of several numbers spread.

        Parameters
        ----------
        names : sequence of str, optional
            Measures, such as ``["label", "bbox", "eccentricity"]``. By default all but
            eccentricity and axes, which take longer.

        Returns
        -------
        dict of str to ndarray
            ``bbox`` becomes ``min_row, min_col, max_row, max_col``, ``xywh`` ``x, y, width, height`` and
            ``centroid`` ``centroid_row, centroid_col``; beyond two axes ``min_0 …``, ``centroid_0 …``.
        """
        columns: dict[str, NDArray[Any]] = {}
        for name in self.measures() if names is None else names:
            if name not in _MEASURES:
                raise UnsupportedValue(f"no measure {name!r}; there are {', '.join(_MEASURES)}")
            values = getattr(self, name)
            parts = self._parts(name)
            columns.update({part: values[:, i] for i, part in enumerate(parts)} if parts else {name: values})
        return columns

    def to_boxes(self) -> pa.Table:
        """Boxes in the columns of `matlens.boxes`: label, xmin, ymin, xmax, ymax; 0-based, half-open, float64."""
        import pyarrow as pa

        min_row, min_col, max_row, max_col = self._plane("boxes").bbox.T.astype(np.float64)
        edges = {"xmin": min_col, "ymin": min_row, "xmax": max_col, "ymax": max_row}
        return pa.table({"label": self.label, **edges})

    def take(self, rows: ArrayLike, /) -> Regions:
        """Some of the regions, by a mask or by rows from 0.

        Examples
        --------
        >>> import numpy as np
        >>> from matlens.helpers import regionprops
        >>> regions = regionprops(np.array([[1, 1, 0, 2], [1, 0, 0, 2]]))
        >>> regions.take(regions.area > 2).label
        array([1])
        """
        chosen = np.arange(len(self))[np.asarray(rows)]
        counts = np.diff(self._offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        order = np.arange(offsets[-1]) + np.repeat(self._offsets[:-1][chosen] - offsets[:-1], counts)
        return Regions(self._runs.take(order), self.label[chosen], offsets)

    @property
    def _intensity(self) -> Intensity:
        if self._runs.intensity is None:
            raise UnsupportedValue("no intensities: regionprops(labels, intensity=image) measures an image")
        return self._runs.intensity

    @cached_property
    def _eigenvalues(self) -> NDArray[np.float64]:
        """Of the covariance of the pixels' coordinates, ascending, shape (n, 2)."""
        regions = self._plane("axes")
        runs, each = regions._runs, np.repeat(np.arange(len(regions)), np.diff(regions._offsets))
        length = (runs.stop - runs.start).astype(np.float64)
        row, column = (axis - mean[each] for axis, mean in zip(self._middles(), self.centroid.T, strict=True))
        rows = self._sum(length * row**2) / self.area
        # Of n pixels in a row, the variance is (n^2 - 1) / 12.
        columns = self._sum(length * (column**2 + (length**2 - 1) / 12)) / self.area
        mixed = self._sum(length * row * column) / self.area
        middle, half = (rows + columns) / 2, np.hypot((rows - columns) / 2, mixed)
        # Rounding must not make the small one negative.
        return np.stack([np.maximum(middle - half, 0), middle + half], axis=1)

    def _middles(self) -> list[NDArray[np.float64]]:
        """Centre of each run along every axis."""
        runs = self._runs
        return [*(axis.astype(np.float64) for axis in runs.coordinates()), (runs.start + runs.stop - 1) / 2]

    def _parts(self, name: str) -> list[str]:
        axes = ["row", "col"] if self.ndim == 2 else [str(axis) for axis in range(self.ndim)]
        if name == "bbox":
            return [f"{end}_{axis}" for end in ("min", "max") for axis in axes]
        if name == "centroid":
            return [f"centroid_{axis}" for axis in axes]
        return ["x", "y", "width", "height"] if name == "xywh" else []

    def _plane(self, what: str) -> Regions:
        if self.ndim != 2:
            raise ShapeMismatch(f"{what} need an image of rows and columns, {self.ndim}-D given")
        return self

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        return self._reduce(np.add, values)

    def _reduce(self, function: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        if not len(self):
            return values[:0]
        return np.asarray(function.reduceat(values, self._offsets[:-1]))


_MEASURES = (
    *("label", "area", "bbox_area", "bbox", "xywh", "centroid", "extent"),
    *("mean_intensity", "min_intensity", "max_intensity"),
    *("eccentricity", "axis_major_length", "axis_minor_length"),
)
