"""The helpers beside the recipes and libraries that they replace."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from scipy.spatial import distance

from matlens.helpers import cdist, conv_transpose2d, regionprops, sortrows

pytestmark = pytest.mark.benchmark(min_rounds=3, warmup=False, timer=time.process_time)


@pytest.fixture(scope="session")
def blobs() -> np.ndarray:
    """A mask of 4096x4096 with 20,000 discs, of which none touches another."""
    random = np.random.default_rng(0)
    mask = np.zeros((4096, 4096), np.bool_)
    row, column = np.ogrid[-11:12, -11:12]
    for k in range(20_000):
        y, x = (np.array(divmod(k, 142)) * 28 + 25 + random.integers(-2, 3, 2)).tolist()
        mask[y - 11 : y + 12, x - 11 : x + 12] |= row**2 + column**2 < random.uniform(3, 10) ** 2
    return mask


@pytest.mark.parametrize("timer", ["CPU time", "wall time"])
@pytest.mark.parametrize("who", ["matlens", "skimage", "opencv"])
@pytest.mark.benchmark(group="20,000 regions of a 4096x4096 mask")
def test_regions(benchmark: Any, blobs: np.ndarray, who: str, timer: str) -> None:
    cv2, measure = pytest.importorskip("cv2"), pytest.importorskip("skimage.measure")
    if timer == "wall time":
        benchmark._timer = time.perf_counter

    def ours() -> int:
        regions = regionprops(blobs)
        regions.columns(["area", "bbox", "centroid"])
        return len(regions)

    def by_skimage() -> int:
        labels = measure.label(blobs, connectivity=1)
        return len(measure.regionprops_table(labels, properties=("label", "area", "bbox", "centroid"))["label"])

    run = {
        "matlens": ours,
        "skimage": by_skimage,
        "opencv": lambda: cv2.connectedComponentsWithStats(blobs.view(np.uint8), connectivity=4)[0] - 1,
    }[who]
    assert benchmark.pedantic(run, rounds=3 if who == "skimage" else 7, warmup_rounds=1) == 20_000


@pytest.mark.parametrize("who", ["matlens", "scipy", "torch"])
@pytest.mark.benchmark(group="distances 5000x5000x128")
def test_distances(benchmark: Any, who: str) -> None:
    random = np.random.default_rng(0)
    a, b = 1e4 + random.normal(size=(5000, 128)), 1e4 + random.normal(size=(5000, 128))
    if who == "torch":
        torch = pytest.importorskip("torch")
        found = benchmark.pedantic(lambda: torch.cdist(torch.from_numpy(a), torch.from_numpy(b)).numpy(), rounds=5)
    else:
        found = benchmark.pedantic(lambda: (cdist if who == "matlens" else distance.cdist)(a, b), rounds=5)
    if who == "matlens":
        np.testing.assert_allclose(found[:50], distance.cdist(a[:50], b), rtol=1e-9)


@pytest.mark.parametrize("who", ["matlens", "scipy"])
@pytest.mark.parametrize("size", [3, 30, 300])
def test_small_distances(benchmark: Any, size: int, who: str) -> None:
    benchmark.group = f"distances of {size}x{size}x3, many times"
    a = np.random.default_rng(0).normal(size=(size, 3))
    run = cdist if who == "matlens" else distance.cdist
    benchmark.pedantic(lambda: run(a, a), rounds=5, iterations=100_000 // size**2 + 10)


SORTS = {
    "two whole numbers": lambda random, n: random.integers(0, 1000, (n, 2)),
    "two doubles": lambda random, n: random.normal(size=(n, 2)),
    "class and score": lambda random, n: np.column_stack([random.integers(0, 20, n), random.random(n)]),
}


@pytest.mark.parametrize("who", ["matlens", "sorted", "lexsort"])
@pytest.mark.parametrize("kind", list(SORTS))
def test_sorting(benchmark: Any, kind: str, who: str) -> None:
    """A million rows by two keys; `sorted` is given tuples that are there already."""
    benchmark.group = f"sort 1,000,000 rows by {kind}"
    rows = SORTS[kind](np.random.default_rng(0), 1_000_000)
    if who == "sorted":
        tuples = list(zip(*rows.T.tolist(), strict=True))
        found = benchmark.pedantic(
            lambda: sorted(tuples, key=lambda row: (row[0], row[1]), reverse=True), rounds=2, warmup_rounds=0
        )
        assert found == [tuple(row) for row in sortrows(rows, descending=True).tolist()]
    elif who == "lexsort":
        benchmark.pedantic(lambda: rows[np.lexsort(rows.T[::-1])], rounds=3)
    else:
        benchmark.pedantic(lambda: sortrows(rows, descending=True), rounds=7, warmup_rounds=1)


@pytest.mark.parametrize("who", ["matlens", "torch"])
@pytest.mark.benchmark(group="transposed convolution (8, 128, 32, 32), 4x4, stride 2")
def test_transposed_convolution(benchmark: Any, who: str) -> None:
    random = np.random.default_rng(0)
    x, weight = random.normal(size=(8, 128, 32, 32)), random.normal(size=(128, 64, 4, 4))
    if who == "matlens":
        benchmark.pedantic(lambda: conv_transpose2d(x, weight, stride=2, padding=1), rounds=5, warmup_rounds=1)
        return
    torch = pytest.importorskip("torch")
    tensors = torch.from_numpy(x), torch.from_numpy(weight)
    run = torch.nn.functional.conv_transpose2d
    benchmark.pedantic(lambda: run(*tensors, stride=2, padding=1), rounds=5, warmup_rounds=1)
