"""A campaign by hand: ``python -m fuzz --count 20000 --seed 1`` in the folder of the tests."""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
from pathlib import Path

import numpy as np

from fuzz.hostile import hostile_files
from fuzz.mutator import mutant
from fuzz.reading import read_everything, run
from fuzz.sources import FIXTURES, sources


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.mkdtemp(prefix="faults-")))
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        originals = [(path, path.read_bytes()) for path in sources()]
        whole = {path: run(read_everything, path).digests for path, _ in originals}
        rng = np.random.default_rng(options.seed)
        target = Path(folder) / "x.mat"
        special = hostile_files()
        # What is imported on the way is no growth.
        read_everything(FIXTURES / "annotations_v73.mat")
        for number in range(options.count + len(special)):
            if number < len(special):
                kind, content, digests = special[number][0], special[number][1], {}
            else:
                source, original = originals[int(rng.integers(len(originals)))]
                kind, content, digests = source.name, mutant(original, rng), whole[source]
            target.write_bytes(content)
            outcome = run(read_everything, target)
            room = max(64 << 20, 50 * len(content))
            counts["files"] += 1
            counts["errors told" if outcome.errors else "no error"] += 1
            version = "7.3" if b"HDF\r" in content[:1024] else "4 or 5"
            changed = [n for n, d in outcome.digests.items() if n in digests and digests[n] != d]
            if changed and not outcome.errors:
                counts[f"silently changed, version {version}"] += 1
            bad = []
            if outcome.signal:
                bad.append(f"signal {outcome.signal} after {outcome.seconds:.1f} s")
            bad += outcome.faults
            if outcome.growth > room:
                bad.append(f"{outcome.growth >> 20} MiB for {len(content)} bytes")
            if bad:
                counts["bad"] += 1
                (options.keep / f"{number}-{kind}").write_bytes(content)
                print(number, kind, "|", "; ".join(bad), flush=True)
            if number % 2000 == 1999:
                print(dict(counts), file=sys.stderr, flush=True)
    print(dict(counts), options.keep)


if __name__ == "__main__":
    main()
