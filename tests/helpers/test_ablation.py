"""Ablation: scores, differences, ranks and failures, against hand-made scores."""

from __future__ import annotations

import threading
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from matlens import errors
from matlens.helpers import ablate_columns, ablation

WEIGHTS = {"a": 1.0, "b": 5.0, "c": 3.0}


def weighted(on: dict[str, bool]) -> float:
    return sum(weight for name, weight in WEIGHTS.items() if on[name])


def noisy(on: dict[str, bool], rng: np.random.Generator) -> float:
    return weighted(on) + rng.normal()


def test_leave_one_out() -> None:
    table = ablation(weighted, WEIGHTS).to_pandas()
    assert table["component"].tolist() == ["a", "b", "c"]
    assert table["mean"].tolist() == [8, 4, 6]
    assert table["difference"].tolist() == [-1, -5, -3]
    assert table["rank"].tolist() == [3, 1, 2]
    assert table["std"].isna().all()
    assert table["failed"].tolist() == [0, 0, 0]


def test_one_at_a_time() -> None:
    result = ablation(weighted, WEIGHTS, mode="one-at-a-time")
    assert result.baseline == 0
    assert result.columns()["mean"].tolist() == [1, 5, 3]
    assert result.columns()["rank"].tolist() == [3, 1, 2]


def test_losses_are_better_when_small() -> None:
    result = ablation(lambda on: -weighted(on), WEIGHTS, greater_is_better=False)
    assert result.columns()["difference"].tolist() == [1, 5, 3]
    assert result.columns()["rank"].tolist() == [3, 1, 2]


def test_pairs_show_what_components_do_together() -> None:
    def redundant(on: dict[str, bool]) -> float:
        return float(on["a"] or on["b"]) + on["c"]

    table = ablation(redundant, "abc", mode="pairs").to_pandas().set_index("component")
    assert table.index.tolist() == ["a", "b", "c", "a + b", "a + c", "b + c"]
    assert table["difference"].tolist() == [0, 0, -1, -1, -1, -1]
    assert table["interaction"].tolist()[3:] == [-1, 0, 0]
    assert table["interaction"].isna().tolist() == [True] * 3 + [False] * 3


def test_a_known_baseline_is_not_run() -> None:
    calls = []
    result = ablation(lambda on: calls.append(dict(on)) or weighted(on), WEIGHTS, baseline=10)
    assert len(calls) == 3
    assert result.columns()["difference"].tolist() == [-2, -6, -4]


def test_repeats_and_deviation() -> None:
    result = ablation(noisy, WEIGHTS, repeats=4, seed=1)
    generators = [np.random.default_rng(seed) for seed in np.random.SeedSequence(1).spawn(4)]
    noise = np.array([generator.normal() for generator in generators])
    columns = result.columns()
    np.testing.assert_allclose(columns["mean"], [8, 4, 6] + noise.mean())
    np.testing.assert_allclose(columns["std"], [noise.std(ddof=1)] * 3)
    # The same random numbers for each component: no noise is left in the differences.
    np.testing.assert_allclose(columns["difference"], [-1, -5, -3])
    assert len(result.trials) == 16
    assert [trial.repeat for trial in result.trials[:5]] == [0, 1, 2, 3, 0]


def test_a_seed_repeats_and_none_does_not() -> None:
    means = [ablation(noisy, WEIGHTS, seed=seed).columns()["mean"].tolist() for seed in (3, 3, None, None)]
    assert means[0] == means[1]
    assert means[2] != means[3]


def test_failures_are_recorded() -> None:
    def fragile(on: dict[str, bool]) -> float:
        if not on["b"]:
            raise ZeroDivisionError("no b")
        return weighted(on)

    result = ablation(fragile, WEIGHTS, repeats=2)
    columns = result.columns()
    assert columns["failed"].tolist() == [0, 2, 0]
    assert np.isnan(columns["mean"]).tolist() == [False, True, False]
    assert columns["rank"].tolist() == [2, 3, 1]
    assert [trial.error for trial in result.trials if trial.error] == ["ZeroDivisionError: no b"] * 2


def test_a_baseline_that_fails() -> None:
    def fails_whole(on: dict[str, bool]) -> float:
        return 1 / (0 if all(on.values()) else weighted(on))

    result = ablation(fails_whole, WEIGHTS)
    assert np.isnan(result.baseline)
    assert result.columns()["rank"].tolist() == [1, 3, 2]


def test_an_interrupt_is_not_a_failure() -> None:
    def interrupted(on: dict[str, bool]) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ablation(interrupted, WEIGHTS)


def test_threads() -> None:
    barrier = threading.Barrier(2, timeout=20)

    def together(on: dict[str, bool]) -> float:
        barrier.wait()
        return weighted(on)

    result = ablation(together, WEIGHTS, workers=2)
    assert result.columns()["difference"].tolist() == [-1, -5, -3]


def test_processes() -> None:
    with ProcessPoolExecutor(2) as pool:
        result = ablation(noisy, WEIGHTS, workers=pool, repeats=2, seed=1)
        columns = ablate_columns(pd.DataFrame({"a": [1, 2], "b": [3, 4]}), total, workers=pool)
    assert result.to_arrow().equals(ablation(noisy, WEIGHTS, repeats=2, seed=1).to_arrow())
    assert columns.columns()["mean"].tolist() == [7, 3]


def test_progress() -> None:
    seen: list[tuple[int, int]] = []
    ablation(weighted, WEIGHTS, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    ablation(weighted, WEIGHTS, progress=True)


def total(table: pd.DataFrame) -> float:
    return float(table.to_numpy().sum())


@pytest.mark.parametrize("kind", ["pandas", "arrow", "structured", "dict"])
def test_columns_of_a_table(kind: str) -> None:
    columns = {"a": np.array([1.0, 2]), "b": np.array([10.0, 20]), "y": np.array([100.0, 200])}
    frame = pd.DataFrame(columns)
    table = {
        "pandas": frame,
        "arrow": pa.table(columns),
        "structured": frame.to_records(index=False).view(np.ndarray),
        "dict": columns,
    }[kind]

    def score(table) -> float:
        names = table.dtype.names if kind == "structured" else list(getattr(table, "column_names", table))
        assert "y" in names
        return float(sum(np.sum(np.asarray(table[name])) for name in names))

    result = ablate_columns(table, score, columns=["a", "b"])
    assert result.columns()["difference"].tolist() == [-3, -30]
    alone = ablate_columns(table, score, columns=["a", "b"], mode="one-at-a-time")
    assert alone.baseline == 300
    assert alone.columns()["difference"].tolist() == [3, 30]


def test_a_score_of_columns_with_random_numbers() -> None:
    result = ablate_columns({"a": [1]}, lambda table, rng: rng.random(), seed=5)
    expected = np.random.default_rng(np.random.SeedSequence(5).spawn(1)[0]).random()
    assert result.baseline == expected


def test_some_columns_of_the_result() -> None:
    result = ablation(weighted, WEIGHTS)
    assert result.to_arrow(["rank", "component"]).to_pydict() == {"rank": [3, 1, 2], "component": ["a", "b", "c"]}
    with pytest.raises(errors.PathError, match="no column 'score'"):
        result.columns(["score"])


def test_one_component() -> None:
    assert ablation(lambda on: on["x"], ["x"]).to_pandas()["difference"].tolist() == [-1]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ablation(weighted, []), errors.UnsupportedValue, "no components"),
        (lambda: ablation(weighted, ["a", "a"]), errors.UnsupportedValue, "'a' is given twice"),
        (lambda: ablation(weighted, "a", mode="all"), errors.UnsupportedValue, "no mode 'all'"),
        (lambda: ablation(weighted, "a", repeats=0), errors.UnsupportedValue, "0 given"),
        (lambda: ablation(weighted, "a", workers=0), errors.UnsupportedValue, "0 given"),
        (lambda: ablate_columns({"a": [1]}, weighted, columns=["b"]), errors.PathError, "no column 'b'; there are a"),
        (lambda: ablate_columns(np.ones((2, 2)), weighted), errors.TypeMismatch, "ndarray given"),
    ],
)
def test_wrong_input(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
