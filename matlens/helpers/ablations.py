"""Ablation: what each part of a method, or each column of a table, adds to its score."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import combinations, count
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from matlens.errors import PathError, TypeMismatch, UnsupportedValue
from matlens.helpers.column_table import ColumnTable
from matlens.helpers.sorting import rank

Mode = Literal["leave-one-out", "one-at-a-time", "pairs"]
ProgressOption = bool | Callable[[int, int], None] | None

_MODES = ("leave-one-out", "one-at-a-time", "pairs")


@dataclass(frozen=True)
class Trial:
    """One run of the score.

    Parameters
    ----------
    component : tuple of str
        What was left out, or alone was on; empty for the baseline.
    repeat : int
        From 0.
    score : float
        NaN if the run failed.
    error : str or None
        Type and message of the exception.
    """

    component: tuple[str, ...]
    repeat: int
    score: float
    error: str | None = None


class Ablation(ColumnTable):
    """Scores by component; made by `ablation`.

    Attributes
    ----------
    trials : list of Trial
        Every run, those of the baseline first.
    mode : str
    baseline : float
        Mean score that the others are compared with.

    Examples
    --------
    >>> result = ablation(lambda on: on["a"] + 3 * on["b"], ["a", "b"])
    >>> result
    <Ablation: leave-one-out of 2, baseline 4>
    >>> result.to_pandas()
      component  mean  std  difference  rank  failed
    0         a   3.0  NaN        -1.0     2       0
    1         b   1.0  NaN        -3.0     1       0
    """

    def __init__(
        self, trials: list[Trial], parts: list[tuple[str, ...]], mode: Mode, baseline: float, greater_is_better: bool
    ) -> None:
        self.trials = trials
        self.mode = mode
        self.baseline = baseline
        self._parts = parts
        self._greater_is_better = greater_is_better

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"<Ablation: {self.mode} of {len(self):,}, baseline {self.baseline:.6g}>"

    def columns(self, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Columns by name.

        Parameters
        ----------
        names : sequence of str, optional
            Some of them.

        Returns
        -------
        dict of str to ndarray of shape (n,)
            ``component``; ``mean`` and ``std`` of its scores (of a sample, NaN for one run); ``difference`` of the mean
            to the baseline; ``rank`` from 1 for the component that matters most; ``failed`` runs. Mode "pairs" has
            ``interaction`` besides: by how much the difference of a pair is not the sum of those of its parts.
        """
        scores = {part: self._scores(part) for part in self._parts}
        mean = np.array([np.mean(found) if len(found) else np.nan for found in scores.values()])
        std = np.array([np.std(found, ddof=1) if len(found) > 1 else np.nan for found in scores.values()])
        difference = mean - self.baseline
        most_first = self._greater_is_better == (self.mode == "one-at-a-time")
        everything: dict[str, NDArray[Any]] = {
            "component": np.array([" + ".join(part) for part in self._parts], object),
            "mean": mean,
            "std": std,
            "difference": difference,
            "rank": rank(mean, descending=most_first, method="min"),
            "failed": np.array(
                [sum(t.component == part and t.error is not None for t in self.trials) for part in scores]
            ),
        }
        if self.mode == "pairs":
            everything["interaction"] = self._interaction(difference)
        for name in names or ():
            if name not in everything:
                raise PathError(f"no column {name!r}; there are {', '.join(everything)}")
        return everything if names is None else {name: everything[name] for name in names}

    def _scores(self, part: tuple[str, ...]) -> list[float]:
        return [trial.score for trial in self.trials if trial.component == part and trial.error is None]

    def _interaction(self, difference: NDArray[np.float64]) -> NDArray[np.float64]:
        alone = {part[0]: value for part, value in zip(self._parts, difference, strict=True) if len(part) == 1}
        sums = [sum(alone[name] for name in part) if len(part) > 1 else np.nan for part in self._parts]
        return difference - np.array(sums, np.float64)


def ablation(
    score: Callable[..., float],
    components: Iterable[str],
    /,
    *,
    baseline: float | None = None,
    mode: Mode = "leave-one-out",
    repeats: int = 1,
    seed: int | None = None,
    workers: int | Executor = 1,
    greater_is_better: bool = True,
    progress: ProgressOption = None,
) -> Ablation:
    """Score a method without each of its components.

    Parameters
    ----------
    score : callable
        Takes a dictionary of all components, True for those that are on, and returns a number. If it has a parameter
        named ``rng``, it is given a `numpy.random.Generator`.
    components : iterable of str
        Names of the switches.
    baseline : float, optional
        The score to compare with, if it is known. By default it is run: with all components on, or with none for
        "one-at-a-time".
    mode : {"leave-one-out", "one-at-a-time", "pairs"}, default "leave-one-out"
        All but one on; only one on; all but one and all but two, which shows what components do together.
    repeats : int, default 1
        Runs of each.
    seed : int, optional
        Of the generators. Run k of every component has the same random numbers, so that differences are
        not those of chance; without a seed these differ from call to call.
    workers : int or concurrent.futures.Executor, default 1
        How many threads run the score, or what runs it: a `ProcessPoolExecutor` for scores that hold Python's lock, if
        they can be pickled.
    greater_is_better : bool, default True
        False for losses and errors; decides what rank 1 is.
    progress : bool or callable, optional
        Whether to show a bar; by default where stderr is a terminal. A callable gets the runs done and all.

    Returns
    -------
    Ablation
        A row for each component; `to_pandas`, `to_arrow`. Runs that raise are recorded in ``trials`` and counted,
        and the others go on.

    Raises
    ------
    UnsupportedValue
        Another mode, no components, or the same twice; fewer than one repeat or worker.

    Examples
    --------
    >>> def score(on, rng):
    ...     return 0.7 + 0.2 * on["augment"] + 0.1 * on["pretrain"] * on["augment"] + 0.001 * rng.normal()
    >>> table = ablation(score, ["augment", "pretrain"], repeats=5, seed=0).to_pandas()
    >>> table.sort_values("rank")[["component", "difference", "rank"]].round(3)
      component  difference  rank
    0   augment        -0.3     1
    1  pretrain        -0.1     2
    """
    names = list(components)
    _check(names, mode, repeats)
    parts: list[tuple[str, ...]] = [(name,) for name in names]
    if mode == "pairs":
        parts += combinations(names, 2)
    states = [*([()] if baseline is None else []), *parts]
    seeds = np.random.SeedSequence(seed).spawn(repeats) if _takes_rng(score) else [None] * repeats
    jobs = [
        (score, part, repeat, {name: (name in part) == (mode == "one-at-a-time") for name in names}, seeds[repeat])
        for part in states
        for repeat in range(repeats)
    ]
    with _bar(progress, len(jobs)) as advance:
        trials = _run(jobs, workers, advance)
    if baseline is None:
        own = [trial.score for trial in trials if not trial.component and trial.error is None]
        baseline = float(np.mean(own)) if own else float("nan")
    return Ablation(trials, parts, mode, baseline, greater_is_better)


def ablate_columns(
    table: Any, score: Callable[..., float], /, *, columns: Iterable[str] | None = None, **options: Any
) -> Ablation:
    """Score a model without each column of its table.

    Parameters
    ----------
    table : pandas DataFrame, Arrow table, structured ndarray, or dict of columns
        What `Node.to_arrow` and `Node.to_pandas` return.
    score : callable
        Takes a table of the same kind with some columns left out, and returns a number; ``rng`` as in `ablation`.
    columns : iterable of str, optional
        Those that are left out in turn; the others, such as the one to be predicted, always stay. By default all.
    **options
        Of `ablation`.

    Returns
    -------
    Ablation

    Raises
    ------
    PathError
        No such column.
    TypeMismatch
        Another kind of table.
    UnsupportedValue
        As `ablation`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(8.0)
    >>> data = {"a": x, "b": x % 2, "target": 3 * x + (x % 2)}
    >>> def explained(table):
    ...     features = np.column_stack([table[name] for name in table if name != "target"])
    ...     rest = table["target"] - features @ np.linalg.lstsq(features, table["target"])[0]
    ...     return 1 - (rest**2).sum() / (table["target"] ** 2).sum()
    >>> ablate_columns(data, explained, columns=["a", "b"]).to_pandas()[["component", "rank"]]
      component  rank
    0         a     1
    1         b     2
    """
    known = _column_names(table)
    chosen = known if columns is None else list(columns)
    for name in chosen:
        if name not in known:
            raise PathError(f"no column {name!r}; there are {', '.join(map(str, known))}")
    return ablation(_ColumnScore(score, table, known), chosen, **options)


class _ColumnScore:
    """A score of switches that calls one of tables; it can be pickled if table and score can."""

    def __init__(self, score: Callable[..., float], table: Any, names: list[str]) -> None:
        self._score, self._table, self._names = score, table, names
        names_of_parameters = ("on", "rng") if _takes_rng(score) else ("on",)
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names_of_parameters]
        )

    def __call__(self, on: Mapping[str, bool], **random: Any) -> float:
        return self._score(_select(self._table, [name for name in self._names if on.get(name, True)]), **random)


def _column_names(table: Any) -> list[str]:
    if isinstance(table, Mapping):
        return list(table)
    if isinstance(table, np.ndarray) and table.dtype.names:
        return list(table.dtype.names)
    if hasattr(table, "column_names"):
        return list(table.column_names)
    if hasattr(table, "columns"):
        return list(table.columns)
    raise TypeMismatch(f"a table with named columns expected, {type(table).__name__} given")


def _select(table: Any, names: list[str]) -> Any:
    if isinstance(table, Mapping):
        return {name: table[name] for name in names}
    return table.select(names) if hasattr(table, "column_names") else table[names]


def _check(names: list[str], mode: Mode, repeats: int) -> None:
    if mode not in _MODES:
        raise UnsupportedValue(f"no mode {mode!r}; there are {', '.join(_MODES)}")
    if not names:
        raise UnsupportedValue("no components to leave out")
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise UnsupportedValue(f"component {twice!r} is given twice")
    if repeats < 1:
        raise UnsupportedValue(f"one repeat or more, {repeats} given")


def _takes_rng(score: Callable[..., float]) -> bool:
    try:
        return "rng" in inspect.signature(score).parameters
    except (TypeError, ValueError):
        return False


def _run(jobs: list[Any], workers: int | Executor, advance: Callable[[], None]) -> list[Trial]:
    if isinstance(workers, int) and workers < 1:
        raise UnsupportedValue(f"one worker or more, {workers} given")
    if workers == 1:
        trials = []
        for job in jobs:
            trials.append(_trial(*job))
            advance()
        return trials
    with ThreadPoolExecutor(workers) if isinstance(workers, int) else nullcontext(workers) as pool:
        futures = [pool.submit(_trial, *job) for job in jobs]
        try:
            for _ in as_completed(futures):
                advance()
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return [future.result() for future in futures]


def _trial(
    score: Callable[..., float],
    part: tuple[str, ...],
    repeat: int,
    on: dict[str, bool],
    seed: np.random.SeedSequence | None,
) -> Trial:
    random = {} if seed is None else {"rng": np.random.default_rng(seed)}
    try:
        return Trial(part, repeat, float(score(on, **random)))
    # Whatever a score raises, the other runs are worth having.
    except Exception as error:  # noqa: BLE001
        return Trial(part, repeat, float("nan"), f"{type(error).__name__}: {error}")


@contextmanager
def _bar(progress: ProgressOption, total: int) -> Iterator[Callable[[], None]]:
    if callable(progress):
        done = count(1)
        yield lambda: progress(next(done), total)
    elif progress or (progress is None and sys.stderr.isatty()):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        shown = (TextColumn("ablation"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=total)
            yield lambda: bar.advance(task)
    else:
        yield lambda: None
