"""Every exception class of matlens.

Each is a `MatlensError` and also the builtin that people already catch for that kind of
failure, so that ``except ValueError`` around `scipy.io.loadmat` keeps working.
"""

from __future__ import annotations

from copy import copy
from typing import Self

from matlens.escape import safe_text

__all__ = [
    "AmbiguousConvention",
    "CorruptFile",
    "ExpressionError",
    "FileChanged",
    "FileClosed",
    "FormMismatch",
    "LimitExceeded",
    "LossyConversion",
    "MatlensError",
    "MissingExtra",
    "NoBoxesFound",
    "NotAMatFile",
    "OutputExists",
    "OutputFailed",
    "PathError",
    "QueryError",
    "ShapeMismatch",
    "TypeMismatch",
    "UnfitFormat",
    "UnsafeFile",
    "UnsupportedValue",
    "error_context",
]


class MatlensError(Exception):
    """Base of all errors; knows file, variable path and byte offset.

    Parameters
    ----------
    message : str
        What was expected and what was found.
    file : str, optional
        The file's name, without its folder.
    variable : str, optional
        MATLAB path of the value, such as ``s.x{3}``.
    offset : int, optional
        Byte offset in the file, or in the inflated data of a compressed variable.
    position : tuple of int, optional
        ``(segment, position)`` of the element at fault; the tree turns it into a path.

    Examples
    --------
    >>> print(MatlensError("7 items stored, 2x4 declared", file="data.mat", variable="s.x{3}", offset=4128))
    data.mat: s.x{3}: 7 items stored, 2x4 declared (at byte 4128)
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        variable: str | None = None,
        offset: int | None = None,
        position: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.variable = variable
        self.offset = offset
        self.position = position

    def at(
        self,
        *,
        file: str | None = None,
        variable: str | None = None,
        offset: int | None = None,
        position: tuple[int, int] | None = None,
    ) -> Self:
        """A copy that also knows where it was; what the error knows already stays. Errors are never changed.

        Examples
        --------
        >>> print(MatlensError("7 items stored", variable="x").at(file="data.mat", variable="s"))
        data.mat: x: 7 items stored
        """
        found = copy(self)
        found.file, found.variable = self.file or file, self.variable or variable
        found.offset = offset if self.offset is None else self.offset
        found.position = self.position or position
        return found.with_traceback(self.__traceback__)

    def __str__(self) -> str:
        parts = [part for part in (self.file, self.variable) if part]
        text = ": ".join([*parts, self.message])
        if self.offset is not None:
            text += f" (at byte {self.offset})"
        return safe_text(text)


class NotAMatFile(MatlensError, ValueError):
    """The content is something else: HTML, a Git-LFS pointer, a zip, text, nothing."""


class CorruptFile(MatlensError, ValueError):
    """The bytes contradict the MAT-file format or each other."""


class UnsupportedValue(MatlensError, NotImplementedError):
    """A kind of value that matlens does not decode, or not to the asked-for form."""


class LimitExceeded(MatlensError, MemoryError):
    """Decoding would need more memory, depth or elements than the limits allow.

    Examples
    --------
    >>> from matlens.limits import Limits
    >>> print(LimitExceeded.of(Limits(depth=8), "depth", "values are nested deeper than 8 levels"))
    values are nested deeper than 8 levels: exceeds Limits.depth = 8; raise it with --limit depth=16
    """

    @classmethod
    def of(cls, limits: object, name: str, text: str, *, offset: int | None = None) -> LimitExceeded:
        """The error that names the field of `matlens.Limits` that was exceeded, and says how to raise it."""
        value: int = getattr(limits, name)
        hint = f"exceeds Limits.{name} = {value}; raise it with --limit {name}={2 * value}"
        return cls(f"{text}: {hint}", offset=offset)


class FileClosed(MatlensError, ValueError):
    """Something that was not read yet is asked of a file that has been closed."""


class FileChanged(MatlensError, OSError):
    """The file was cut or written since it was opened; what is read of it now may be anything."""


class UnsafeFile(MatlensError, OSError):
    """A file asks its reader to follow a link or to read other files."""


class PathError(MatlensError, KeyError, IndexError):
    """A path, field or index that does not exist or does not parse."""


class ShapeMismatch(MatlensError, ValueError):
    """Arrays whose shapes do not go together."""


class FormMismatch(MatlensError, ValueError):
    """A value does not fit into the form that is given for its table."""


class ExpressionError(MatlensError, ValueError):
    """An expression that does not parse, or does not fit the columns of the table it is for."""


class TypeMismatch(MatlensError, TypeError):
    """Values whose types do not go together."""


class NoAnnotationsFound(MatlensError, LookupError):
    """No annotations of the kind that is asked for in the file, or none at the given path."""


class NoBoxesFound(NoAnnotationsFound):
    """No bounding boxes in the file, or none at the given path."""


class AmbiguousConvention(MatlensError, ValueError):
    """Neither the names nor the values decide which box convention a file uses."""


class OutputExists(MatlensError, FileExistsError):
    """The output file exists and overwriting was not asked for."""


class OutputFailed(MatlensError, OSError):
    """An output file that could not be written, because the disk is full for instance."""


class UnfitFormat(MatlensError, ValueError):
    """An output format that cannot hold the values, or that needs an option to do so."""


class LossyConversion(MatlensError, ValueError):
    """Something would be lost, and the caller has asked for an error in that case."""


class QueryError(MatlensError, ValueError):
    """A SQL query that cannot be run."""


class MissingExtra(MatlensError, ImportError):
    """An optional package that the call needs is not installed."""


class error_context:
    """Fill in the file, variable and byte offset of any `MatlensError` that passes through, unless it knows its own.

    Examples
    --------
    >>> with error_context(file="a.mat", variable="x"):
    ...     raise CorruptFile("tag 99 is no MAT-file type", offset=128)
    Traceback (most recent call last):
    matlens.errors.CorruptFile: a.mat: x: tag 99 is no MAT-file type (at byte 128)
    """

    # Not a generator: thousands of these are entered for a file of many variables.
    def __init__(self, *, file: str | None = None, variable: str | None = None, offset: int | None = None) -> None:
        self._file, self._variable, self._offset = file, variable, offset

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MatlensError):
            found = error.at(file=self._file, variable=self._variable, offset=self._offset)
            raise found from error.__cause__
