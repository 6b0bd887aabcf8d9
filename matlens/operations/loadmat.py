"""`matlens.loadmat`, a drop-in for `scipy.io.loadmat` that reads every version."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from matlens.errors import MatlensError, NotAMatFile, error_context
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Variable
from matlens.tree.access import reader_of, salvaging_of
from matlens.tree.file import MatFile, ReadingOptions, Source, opened
from matlens.values.loadmat_form import LoadmatOptions, decode_values, objects_of
from matlens.values.objects import Objects

MAX_PATH = 4096
"""Bytes of a path, at most."""
_WORKSPACE = "__function_workspace__"
"""What SciPy calls the data of all objects and function handles of a file."""


def loadmat(
    file_name: Source,
    mdict: MutableMapping[str, Any] | None = None,
    appendmat: bool = True,
    *,
    spmatrix: bool = True,
    byte_order: str | None = None,
    mat_dtype: bool | None = None,
    squeeze_me: bool = False,
    chars_as_strings: bool = True,
    matlab_compatible: bool = False,
    struct_as_record: bool = True,
    verify_compressed_data_integrity: bool = True,
    variable_names: str | Iterable[str] | None = None,
    simplify_cells: bool = False,
    uint16_codec: str | None = None,
    **reading: Unpack[ReadingOptions],
) -> MutableMapping[str, Any]:
    """Load a MAT-file of any version, v7.3 included, as `scipy.io.loadmat` does.

    Arguments, containers and shapes are those of `scipy.io.loadmat`, with one difference: by default, doubles that are
    stored as integers come as int64, which index, slice and print as scripts expect and do not wrap around as the
    narrow storage types do; all other values have their MATLAB class.

    Parameters
    ----------
    file_name : str, os.PathLike, bytes, binary file object or MatFile
    mdict : dict, optional
        Filled with the variables and returned, if given.
    appendmat : bool
        Try the name with ``.mat`` appended where there is no file of the given name.
    spmatrix : bool
        Sparse variables as ``scipy.sparse`` matrices, or else as sparse arrays; COO for
        v4, CSC for the other versions.
    mat_dtype : bool, optional
        True for MATLAB's classes, so that all doubles are floats; False for the types in which the file stores them,
        as in SciPy by default. None, the default, is described above.
    squeeze_me, chars_as_strings, struct_as_record, simplify_cells : bool
        As in SciPy.
    matlab_compatible : bool
        ``squeeze_me=False, chars_as_strings=False, mat_dtype=True, struct_as_record=True``.
    variable_names : str or iterable of str, optional
        Load only these.
    byte_order, verify_compressed_data_integrity, uint16_codec
        Accepted and not needed: the file tells its byte order, integrity is always
        checked, and text is UTF-16 by MATLAB's definition.
    **reading
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`. With ``errors="salvage"``, damaged
        elements of cells and structs are None and damaged variables are left out, each with a `UserWarning` that
        tells file, path and reason.

    Returns
    -------
    dict
        The variables, and for all versions but v4 ``__header__``, ``__version__`` and
        ``__globals__``.

    Raises
    ------
    MatlensError
        With file, variable and byte offset, for a variable that is damaged.

    Examples
    --------
    >>> import matlens
    >>> data = matlens.loadmat("fixtures/kinds_v73.mat", variable_names=["integers"])
    >>> data["integers"]["u8"][0, 0]
    array([[  0, 255]], dtype=uint8)
    """
    if matlab_compatible:
        squeeze_me, chars_as_strings, mat_dtype, struct_as_record = False, False, True, True
    if simplify_cells:
        squeeze_me, struct_as_record = True, False
    options = LoadmatOptions(mat_dtype, squeeze_me, chars_as_strings, struct_as_record)
    wanted = {variable_names} if isinstance(variable_names, str) else variable_names
    try:
        with opened(_source(file_name, appendmat=appendmat), **reading) as file:
            loaded, damages = _load(file, options, None if wanted is None else set(wanted), spmatrix)
    except NotAMatFile as error:
        raise _not_a_mat_file(error) from error.__cause__
    for damage in damages:
        warnings.warn(str(damage.at(file=file.name)), stacklevel=2)
    if simplify_cells:
        loaded = {name: _simplify(value) for name, value in loaded.items()}
    if mdict is None:
        return loaded
    mdict.update(loaded)
    return mdict


def _source(file_name: Any, *, appendmat: bool) -> Any:
    """What is to be opened: a path may be bytes, as the operating system has it, and lack its suffix."""
    if isinstance(file_name, bytes) and len(file_name) <= MAX_PATH and b"\0" not in file_name:
        path = os.fsdecode(file_name)
        file_name = path if os.path.exists(path) or os.path.exists(f"{path}.mat") else file_name  # noqa: PTH110
    if appendmat and isinstance(file_name, str | PathLike) and not os.path.exists(file_name):  # noqa: PTH110 - quicker
        longer = Path(f"{file_name}.mat")
        return longer if longer.exists() else file_name
    return file_name


def _not_a_mat_file(error: NotAMatFile) -> NotAMatFile:
    """The same error, which ``except scipy.io.matlab.MatReadError`` catches as well."""
    from scipy.io.matlab import MatReadError

    # Made here, for SciPy takes longer to import than most files to load.
    found: NotAMatFile = type("NotAMatFile", (NotAMatFile, MatReadError), {})(error.message)
    return found.at(file=error.file, variable=error.variable, offset=error.offset).with_traceback(error.__traceback__)


def _load(
    file: MatFile, options: LoadmatOptions, wanted: set[str] | None, spmatrix: bool
) -> tuple[dict[str, Any], list[MatlensError]]:
    """The variables, and the damages that were passed over."""
    reader, salvaging = reader_of(file), salvaging_of(file)
    loaded: dict[str, Any] = {}
    damages: list[MatlensError] = []
    passed = None if salvaging is None else damages
    shared: Objects | None = None
    version = reader.version
    if version != "v4":
        loaded["__header__"] = reader.header.encode("latin-1")
        loaded["__version__"] = "2.0" if version == "v7.3" else "1.0"
        loaded["__globals__"] = []
    with error_context(file=file.name):
        variables, repeated = _last_variables(reader, wanted)
        damages += repeated
        for k, variable in enumerate(variables):
            if variable.compressed:
                reader.prefetch(variables[later].elements for later in range(k, len(variables)))
            with _passing_over(passed), error_context(file=file.name, variable=variable.name):
                if salvaging is not None:
                    # It imports Arrow, which takes longer than most files.
                    from matlens.values.examine import salvage

                    damages += salvage(salvaging, variable, variable.name, file.name)
                variable.headers.raise_first_error()
                undecoded: list[MatlensError] = []
                shared = _shared_objects(reader) if shared is None and _may_hold_objects(variable) else shared
                value = decode_values(reader, variable.elements, options, objects=shared, undecoded=undecoded)[0]
                damages += (error.at(file=file.name, variable=variable.name) for error in undecoded)
                loaded[variable.name] = _sparse_form(value, version, spmatrix)
                if variable.headers.is_global[0]:
                    loaded["__globals__"].append(variable.name)
        if reader.subsystem is not None and (wanted is None or _WORKSPACE in wanted):
            loaded[_WORKSPACE] = decode_values(reader, reader.subsystem)[0]
        if wanted is None:
            for problem in reader.problems:
                with _passing_over(passed), error_context(file=file.name):
                    raise problem
    return loaded, damages


def _last_variables(reader: Reader, wanted: set[str] | None) -> tuple[list[Variable], list[MatlensError]]:
    """The last variable of each name, and a word on those that are stored several times."""
    last = {v.name: v for v in reader.variables() if wanted is None or v.name in wanted}
    counts = Counter(v.name for v in reader.variables() if v.name in last)
    repeated = [(name, count) for name, count in counts.items() if count > 1]
    return list(last.values()), [MatlensError(f"stored {n} times, the last counts", variable=v) for v, n in repeated]


def _may_hold_objects(variable: Variable) -> bool:
    return int(variable.headers.cls[0]) not in CLASS_DTYPES


def _shared_objects(reader: Reader) -> Objects | None:
    """The objects of a file, one each for all variables; None where they cannot be read, which each variable tells."""
    try:
        return objects_of(reader)
    except MatlensError:
        return None


@contextmanager
def _passing_over(damages: list[MatlensError] | None) -> Iterator[None]:
    """Keep an error in `damages` instead of raising it, where damage is passed over."""
    try:
        yield
    except MatlensError as error:
        if damages is None:
            raise
        damages.append(error)


def _sparse_form(value: Any, version: str, spmatrix: bool) -> Any:
    if not hasattr(value, "tocsc"):
        return value
    from scipy.sparse import coo_array, coo_matrix, csc_matrix

    if version == "v4":
        return coo_matrix(value) if spmatrix else coo_array(value)
    return csc_matrix(value) if spmatrix else value


def _simplify(value: Any) -> Any:
    """Structs to dictionaries and struct arrays to lists, as SciPy's ``simplify_cells``."""
    if hasattr(value, "_fieldnames"):
        return {name: _simplify(getattr(value, name)) for name in value._fieldnames}
    if isinstance(value, np.ndarray) and value.ndim and value.size and hasattr(value[0], "_fieldnames"):
        return [_simplify(item) for item in value]
    return value
