"""What all commands share: exit codes, messages, colour, inputs, columns of text."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from matlens.errors import (
    AmbiguousConvention,
    LossyConversion,
    MatlensError,
    MissingExtra,
    OutputExists,
    PathError,
    QueryError,
    UnfitFormat,
    UnsafeFile,
)
from matlens.escape import json_default, safe_text, shorten

if TYPE_CHECKING:
    from matlens.tree.file import MatFile

Item = TypeVar("Item")
FINE, DATA_FAULT, CALL_FAULT, LOSSY, OWN_FAULT, INTERRUPTED = 0, 1, 2, 4, 70, 130
TERMINATED = 143
SHOWING_SECONDS = 30
_CALL_ERRORS = (PathError, OutputExists, AmbiguousConvention, UnfitFormat, MissingExtra, QueryError)
_STDIN = "-"
SHOWN_ALIKE = 3
"""Messages of one kind that are shown before the others are counted."""
SHOWN_ROWS = 10_000
"""Fewer rows than this are done before a bar would be of use."""


class Outcome:
    """Exit code of a command over many files: the worst of them."""

    def __init__(self) -> None:
        self.code = FINE

    @contextmanager
    def each(self, about: str = "") -> Iterator[None]:
        """Report an error of one file and go on with the next; `about` says which, for faults of matlens."""
        try:
            yield
        except (BrokenPipeError, click.ClickException, click.exceptions.Exit, click.Abort, MemoryError):
            raise
        except (MatlensError, OSError) as error:
            self.note(error)
        except Exception as error:  # noqa: BLE001 - it is told, and the others are done
            self.code = max(self.code, tell_fault(error, about))

    def note(self, *errors: Exception) -> None:
        """Report errors, of many that are alike the first ones, and remember the worst exit code."""
        for error, more in first_of_each(errors, _error_kind):
            message(_error_text(error), error=True)
            if more:
                message(f"  and {more:,} more like these")
        self.code = max([self.code, *map(_exit_code, errors)])

    def leave(self) -> None:
        """End the program with the code."""
        if self.code:
            raise SystemExit(self.code)


def run(command: click.Command) -> int:
    """Run a command; no traceback for faults of data or call, no noise for a closed pipe."""
    # So that files that are being written are removed.
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        # Names from files may hold anything; what a terminal cannot show is escaped, not fatal.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Colour is decided by `style`; click must not strip it again.
        command.main(prog_name="matlens", standalone_mode=False, color=True)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return int(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
        return CALL_FAULT
    except click.ClickException as error:
        message(error.format_message(), error=True)
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"Try 'matlens --help' or '{error.ctx.command_path} --help'.", err=True)
        return CALL_FAULT
    except (click.Abort, KeyboardInterrupt):
        message("interrupted", error=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Keeps the interpreter from failing at exit when it flushes into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except (MatlensError, OSError) as error:
        message(_error_text(error), error=True)
        return _exit_code(error)
    except MemoryError as error:
        message(f"out of memory: {error}" if str(error) else "out of memory", error=True)
        return DATA_FAULT
    except SystemExit as error:
        return int(error.code or 0)
    except Exception as error:  # noqa: BLE001 - the last place where it can be told in words
        return tell_fault(error)
    return FINE


_shows_traceback = False


def set_traceback(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Callback of ``--traceback``."""
    global _shows_traceback
    _shows_traceback = value


def traceback_option() -> click.Option:
    """The option of every command that shows where a fault of matlens is."""
    text = "Show where a fault of matlens itself is."
    return click.Option(["--traceback"], is_flag=True, expose_value=False, callback=set_traceback, help=text)


def tell_fault(error: Exception, about: str = "") -> int:
    """Say in one line that matlens itself is at fault, and show where if that was asked for; the exit code of it."""
    if _shows_traceback:
        import traceback

        click.echo(safe_text("".join(traceback.format_exception(error))).replace("\\n", "\n"), err=True)
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    where = f"{about}: " if about else ""
    hint = "" if _shows_traceback else "; --traceback shows where"
    message(f"{where}a fault of matlens, please report it: {what}{hint}", error=True)
    return OWN_FAULT


def _terminate(number: int, frame: Any) -> None:
    raise SystemExit(TERMINATED)


def _exit_code(error: Exception) -> int:
    if isinstance(error, LossyConversion):
        return LOSSY
    if isinstance(error, MatlensError):
        return CALL_FAULT if isinstance(error, _CALL_ERRORS) else DATA_FAULT
    return CALL_FAULT if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError) else DATA_FAULT


def first_of_each(items: Iterable[Item], kind: Callable[[Item], Any]) -> Iterator[tuple[Item, int]]:
    """The first few items of each kind in their order; with the last of these, how many more there are.

    Examples
    --------
    >>> list(first_of_each("abacada", lambda letter: letter == "a"))
    [('a', 0), ('b', 0), ('a', 0), ('c', 0), ('a', 1), ('d', 0)]
    """
    groups: dict[Any, list[Item]] = {}
    kinds = [(item, kind(item)) for item in items]
    for item, key in kinds:
        groups.setdefault(key, []).append(item)
    shown: Counter[Any] = Counter()
    for item, key in kinds:
        shown[key] += 1
        if shown[key] <= SHOWN_ALIKE:
            yield item, len(groups[key]) - SHOWN_ALIKE if shown[key] == SHOWN_ALIKE else 0


def without_numbers(text: str) -> str:
    """A text in which every word that holds a digit is the same."""
    return re.sub(r"\S*\d\S*", "#", text)


def _error_kind(error: Exception) -> Any:
    """What errors that differ by numbers and places have in common."""
    if isinstance(error, MatlensError):
        return type(error), error.file, without_numbers(error.message)
    return _error_text(error)


def _error_text(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, MatlensError | UnsafeFile):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return str(error)


def message(text: str, *, error: bool = False) -> None:
    """A line of words on stderr."""
    prefix = style("error: ", "red", sys.stderr) if error else ""
    click.echo(prefix + safe_text(text), err=True)


# --- colour ------------------------------------------------------------------------------

_colour = "auto"


def set_colour(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    """Callback of ``--color``."""
    global _colour
    _colour = value
    return value


def style(text: str, colour: str, stream: IO[str] | None = None) -> str:
    """`text` in a colour where colours are wanted: by ``--color``, ``NO_COLOR`` and the terminal."""
    stream = stream or sys.stdout
    wanted = _colour == "always" or (_colour == "auto" and stream.isatty() and not os.environ.get("NO_COLOR"))
    return click.style(text, fg=colour) if wanted else text


def json_options(function: Any) -> Any:
    """The options ``--json`` and ``--color`` of a command."""
    function = click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        callback=set_colour,
        expose_value=False,
        help="Colours; NO_COLOR is respected.",
    )(function)
    return click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")(function)


def print_json(data: Any) -> None:
    """JSON with `schema_version` on stdout; controls are escaped by JSON itself."""
    click.echo(json.dumps({"schema_version": 1} | data, indent=2, default=json_default))


# --- inputs ------------------------------------------------------------------------------


def expand(names: Sequence[str]) -> list[str]:
    """File names with ``*``, ``?`` and ``**`` expanded, as shells without ``**`` leave them."""
    import glob

    files: list[str] = []
    for name in names:
        if name != _STDIN and not Path(name).exists() and glob.has_magic(name):
            found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - absolute patterns too
            if not found:
                raise click.UsageError(f"no file matches {name!r}")
            files += [path for path in found if not Path(path).is_dir()]
        else:
            files.append(name)
    return files


def reading_options(*, shows: bool) -> list[click.Parameter]:
    """Options that every command takes which opens files; one that only shows something waits less long for it."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if parameter.name == "limits":
            from matlens.limits import Limits

            try:
                ctx.meta["matlens.limits"] = (Limits(seconds=SHOWING_SECONDS) if shows else Limits()).changed(*value)
            except ValueError as error:
                raise click.BadParameter(str(error), ctx, parameter) from None
        elif value:
            ctx.meta[f"matlens.{parameter.name}"] = value

    def choice(name: str, values: str, text: str) -> click.Option:
        return click.Option([name], type=click.Choice(values.split()), expose_value=False, callback=keep, help=text)

    return [
        click.Option(
            ["--limit", "limits"],
            multiple=True,
            metavar="NAME=VALUE",
            expose_value=False,
            callback=keep,
            help="Raise or lower a limit, such as depth=128 or memory=8GiB; a wrong name lists them all.",
        ),
        choice(
            "--isolate", "auto always never", "Read in a process of its own; auto does where SciPy or libhdf5 read."
        ),
        choice(
            "--errors",
            "raise salvage",
            "With salvage, damaged elements inside structs and cells are null, and said to be.",
        ),
        choice("--engine", "auto reference", "Read by SciPy and libhdf5 instead, to compare."),
    ]


def _reading() -> dict[str, Any]:
    """Arguments for `open_file` from the options of the command."""
    ctx = click.get_current_context(silent=True)
    names = ("limits", "isolate", "engine", "errors")
    return {name: ctx.meta[f"matlens.{name}"] for name in names if ctx and f"matlens.{name}" in ctx.meta}


@contextmanager
def open_input(name: str) -> Iterator[MatFile]:
    """Open a file, or standard input for ``-``, spooled to a temporary file."""
    from matlens.tree.file import open_file

    if name != _STDIN:
        with open_file(name, **_reading()) as file:
            yield file
        return
    import tempfile

    # It has no name that could remain.
    with tempfile.TemporaryFile() as spool:
        while chunk := sys.stdin.buffer.read(1 << 20):
            spool.write(chunk)
        try:
            opened = open_file(spool, **_reading())
        except MatlensError as error:
            raise type(error)(error.message, file="<stdin>", offset=error.offset) from None
        with opened as file:
            file.name = "<stdin>"
            yield file


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for `total` rows, where that is a terminal; gives what to call with rows done."""
    if not sys.stderr.isatty() or total < SHOWN_ROWS:
        yield lambda rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(shorten(safe_text(what), 40), total=total)
        yield lambda rows: bar.advance(task, rows)


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("x", "s")) else "s")


def counted(count: int, noun: str) -> str:
    """A number with its noun: ``1 row``, ``1,234 rows``, ``2 boxes``."""
    return f"{count:,} {noun if count == 1 else plural(noun)}"


# --- text --------------------------------------------------------------------------------


def value_text(value: Any) -> str:
    """A value of a table as one cell of text; nothing for a missing one."""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def columns_text(
    rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), widths: int = 60, indent: str = "  "
) -> list[str]:
    """Aligned lines; every cell is escaped and cut to `widths` characters."""
    cells = [[shorten(safe_text(cell), widths) for cell in row] for row in rows]
    if not cells:
        return []
    sizes = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = []
    for row in cells:
        parts = [
            cell.rjust(size) if k in right else cell.ljust(size)
            for k, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ]
        lines.append((indent + "  ".join(parts)).rstrip())
    return lines
