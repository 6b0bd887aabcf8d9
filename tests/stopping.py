"""Commands that stop themselves at a counted point of their work, so that no test depends on how fast a process is.

Every call of a function, of Python or of C, is counted from the moment at which the temporary folder of an output is
made. The same command makes the same calls, so that a point of it can be named by a count.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

_PROGRAM = """
import os, sys
at, number = int(sys.argv.pop(1)), int(sys.argv.pop(1))
counted = 0

def count(frame, event, argument):
    global counted
    if event in ("call", "c_call"):
        counted += 1
        if counted == at:
            os.kill(os.getpid(), number)

def begin(event, arguments):
    if event == "os.mkdir" and ".part" in str(arguments[0]):
        sys.setprofile(count)

# What is imported on the way is no work of the command.
import duckdb, h5py, numpy, pandas, pyarrow.csv, pyarrow.parquet, scipy.io, sqlite3
from importlib import import_module
from pathlib import Path
import matlens.export
for path in Path(matlens.export.__file__).parent.glob("[!_]*.py"):
    import_module(f"matlens.export.{path.stem}")
from matlens.cli import group
from matlens.cli.output import run
sys.addaudithook(begin)
try:
    code = run(group)
finally:
    sys.setprofile(None)
    print(f"counted {counted}", file=sys.stderr)
sys.exit(code)
"""


def run_until(at: int, number: signal.Signals, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command that sends itself a signal at the call of this number, or none at 0."""
    command = [sys.executable, "-c", _PROGRAM, str(at), str(int(number)), *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PYTHONHASHSEED": "0"})


def calls_of(*arguments: str) -> int:
    """How many calls a command makes from its temporary folder to its end."""
    done = run_until(0, signal.SIGTERM, *arguments)
    assert done.returncode == 0, done.stderr.decode()
    found = int(done.stderr.split()[-1])
    assert found > 0
    return found
