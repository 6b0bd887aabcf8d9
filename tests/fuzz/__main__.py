"""A campaign by hand: ``python -m tests.fuzz --count 20000 --seed 1`` in the folder of the project."""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import matlens
from tests.fuzz.hostile import hostile_files
from tests.fuzz.mutator import mutant
from tests.fuzz.reading import Outcome, read_everything, run
from tests.fuzz.sources import FIXTURES, sources


class Input(NamedTuple):
    """A file to read; what the values of the sound file were, and which of them a checksum protects."""

    kind: str
    content: bytes
    digests: dict[str, str]
    protected: set[str]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.mkdtemp(prefix="faults-")))
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    counts: collections.Counter[str] = collections.Counter()
    # What is imported on the way is no growth.
    read_everything(FIXTURES / "annotations_v73.mat")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "x.mat"
        for number, each in enumerate(inputs(options.count, options.seed)):
            target.write_bytes(each.content)
            outcome = run(read_everything, target)
            counts["files"] += 1
            counts["errors told" if outcome.errors else "no error"] += 1
            changed = [] if outcome.errors else changed_values(outcome, each)
            if changed:
                version = "v7.3" if b"HDF\r" in each.content[:1024] else "v4 to v7"
                counts[f"silently changed, version {version}"] += 1
            bad = faults(outcome, len(each.content))
            bad += [f"{name} has changed in spite of its checksum" for name in changed if name in each.protected]
            if bad:
                counts["bad"] += 1
                (options.keep / f"{number}-{each.kind}").write_bytes(each.content)
                print(number, each.kind, "|", "; ".join(bad), flush=True)
            if number % 2000 == 1999:
                print(dict(counts), file=sys.stderr, flush=True)
    print(dict(counts), options.keep)


def inputs(count: int, seed: int) -> Iterator[Input]:
    """The hostile files, and then mutants of sound ones."""
    for kind, content in hostile_files():
        yield Input(kind, content, {}, set())
    originals = [(path, path.read_bytes()) for path in sources()]
    whole = {path: run(read_everything, path).digests for path, _ in originals}
    compressed = {path: compressed_variables(path) for path, _ in originals}
    rng = np.random.default_rng(seed)
    for _ in range(count):
        path, original = originals[int(rng.integers(len(originals)))]
        inside = bool(rng.integers(2))
        yield Input(path.name, mutant(original, rng, inside=inside), whole[path], set() if inside else compressed[path])


def compressed_variables(path: Path) -> set[str]:
    """Names of the variables of a v5 file that have a checksum."""
    try:
        with matlens.open(path) as file:
            return {name for name in file if file._variable(name).compressed}
    except matlens.MatlensError:
        return set()


def changed_values(outcome: Outcome, each: Input) -> list[str]:
    return [name for name, found in outcome.digests.items() if each.digests.get(name, found) != found]


def faults(outcome: Outcome, size: int) -> list[str]:
    found = [f"signal {outcome.signal} after {outcome.seconds:.1f} s"] if outcome.signal else []
    if outcome.growth > max(64 << 20, 50 * size):
        found.append(f"{outcome.growth >> 20} MiB for {size} bytes")
    return found + outcome.faults


if __name__ == "__main__":
    main()
