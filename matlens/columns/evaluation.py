"""What an expression gives for the rows of an Arrow table.

Lists are taken apart into single values, each with its row: comparisons work on all of
them at once, and ``any``, ``all``, ``numel``, ``min``, ``max``, ``sum`` and ``mean`` bring
them back to one value a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from matlens.columns.expression_parser import Call, Column, Literal, Part, fail, resolve
from matlens.errors import ExpressionError
from matlens.escape import safe_text, shorten

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Values:
    """Single values; `rows` are those they are of, None where each row has one; literals are scalars."""

    values: Any
    rows: Rows | None = None

    @property
    def kind(self) -> pa.DataType:
        return self.values.type

    @property
    def is_literal(self) -> bool:
        return isinstance(self.values, pa.Scalar)


def evaluate(text: str, root: Part, table: pa.Table) -> pa.ChunkedArray:
    """One value for each row; see `Expression.evaluate`."""
    found = _computed(text, root, table)
    if found.rows is not None:
        fail(text, 0, "several values a row: put any(…), sum(…), max(…) or numel(…) around them")
    if found.is_literal:
        return pa.chunked_array([pa.repeat(found.values, table.num_rows)])
    return pa.chunked_array([found.values])


def mask(text: str, root: Part, table: pa.Table) -> NDArray[np.bool_]:
    """Where the expression is true; see `Expression.mask`."""
    found = _computed(text, root, table)
    if found.rows is not None:
        fail(text, 0, "several values a row: put any(…) or all(…) around the comparison")
    if pa.types.is_null(found.kind):
        return np.zeros(table.num_rows, np.bool_)
    if not pa.types.is_boolean(found.kind):
        fail(text, 0, f"expected a condition such as x > 0, found {_named(found.kind)}")
    if found.is_literal:
        return np.full(table.num_rows, bool(found.values.as_py()), np.bool_)
    return np.asarray(pc.fill_null(found.values, False).to_numpy(zero_copy_only=False), np.bool_)


def _computed(text: str, root: Part, table: pa.Table) -> _Values:
    try:
        return _Evaluation(text, table).part(root)
    except (pa.ArrowException, OverflowError) as error:
        # Such as a pattern that is no regular expression.
        told = shorten(safe_text(error), 200)
        raise ExpressionError(f"cannot compute {shorten(safe_text(text), 100)}: {told}") from error


class _Evaluation:
    """Goes through the parts of one expression."""

    def __init__(self, text: str, table: pa.Table) -> None:
        self._text, self._table = text, table
        self._row_count = table.num_rows

    def _fail(self, at: int, message: str) -> NoReturn:
        fail(self._text, at, message)

    def part(self, part: Part) -> _Values:
        if isinstance(part, Literal):
            return _Values(pa.scalar(part.value))
        if isinstance(part, Column):
            return self._column(part)
        return self._call(part, [self.part(argument) for argument in part.arguments])

    def _column(self, column: Column) -> _Values:
        name, fields = resolve(self._text, column, self._table.column_names)
        array = self._table.column(name).combine_chunks()
        values, rows = _leaves(array if isinstance(array, pa.Array) else array.chunk(0), None)
        for field in fields:
            if not pa.types.is_struct(values.type) or values.type.get_field_index(field) < 0:
                self._fail(column.at, f"{safe_text(name)} has no field {safe_text(field)}")
            values, rows = _leaves(pc.struct_field(values, field), rows)
        return _Values(values, rows)

    def _call(self, call: Call, arguments: list[_Values]) -> _Values:
        if call.name in ("any", "all", "numel", "sum", "mean") or (call.name in ("min", "max") and len(arguments) == 1):
            self._check_count(call, arguments, 1)
            return self._reduced(call, arguments[0])
        if call.name == "in":
            return self._is_in(call, arguments)
        count, function = _FUNCTIONS.get(call.name, (0, None))
        if function is None:
            known = ", ".join(sorted(name for name in (*_FUNCTIONS, *_REDUCTIONS) if name.isalpha()))
            self._fail(call.at, f"no function {shorten(safe_text(call.name), 40)}; there are {known}")
        self._check_count(call, arguments, count)
        arrays, rows = self._aligned(call, arguments)
        try:
            return _Values(function(*arrays), rows)
        except _Unfit as error:
            self._fail(call.at, str(error))
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
            kinds = " and ".join(_named(array.type) for array in arrays)
            self._fail(call.at, f"{call.name} does not go with {kinds}")

    def _check_count(self, call: Call, arguments: Sequence[_Values], count: int) -> None:
        if count >= 0 and len(arguments) != count:
            self._fail(call.at, f"{call.name} takes {count} value{'s' if count != 1 else ''}, not {len(arguments)}")
        if not arguments:
            self._fail(call.at, f"{call.name} takes at least one value")

    def _aligned(self, call: Call, arguments: Sequence[_Values]) -> tuple[list[Any], Rows | None]:
        """Arguments as arrays of one length: values of a row stand beside each of its list."""
        lists = [argument.rows for argument in arguments if argument.rows is not None]
        if not lists:
            if all(argument.is_literal for argument in arguments):
                return [argument.values for argument in arguments], None
            return [argument.values for argument in arguments], None
        rows = lists[0]
        if not all(np.array_equal(rows, other) for other in lists[1:]):
            self._fail(call.at, "the lists on both sides have different lengths in some rows")
        found = []
        for argument in arguments:
            is_single = argument.rows is None and not argument.is_literal
            found.append(argument.values.take(pa.array(rows)) if is_single else argument.values)
        return found, rows

    def _is_in(self, call: Call, arguments: list[_Values]) -> _Values:
        first, *others = arguments
        result: Any = pa.scalar(False)
        for other in others:
            equal = self._call(Call("==", call.arguments[:1], call.at), [first, other]).values
            result = pc.or_kleene(result, equal)
        return _Values(result, first.rows)

    def _reduced(self, call: Call, argument: _Values) -> _Values:
        values = argument.values
        if call.name in ("any", "all") and not pa.types.is_boolean(values.type):
            if not (_is_number(values.type) or pa.types.is_null(values.type)):
                self._fail(call.at, f"{call.name} takes a condition such as x > 0, found {_named(values.type)}")
            values = pc.not_equal(values, pa.scalar(0))
        if call.name in ("sum", "mean") and not (_is_number(values.type) or pa.types.is_boolean(values.type)):
            self._fail(call.at, f"{call.name} takes numbers, found {_named(values.type)}")
        if argument.is_literal:
            values = pa.repeat(values, self._row_count)
        rows = np.arange(self._row_count) if argument.rows is None else argument.rows
        if pa.types.is_boolean(values.type) and call.name not in ("any", "all", "numel"):
            values = values.cast("int64")
        return _Values(_REDUCTIONS[call.name](values, rows, self._row_count))


def _leaves(array: pa.Array, rows: Rows | None) -> tuple[pa.Array, Rows | None]:
    """Single values below lists, and their rows; categories as their texts, arrays of any dims as their values."""
    while True:
        kind = array.type
        if pa.types.is_dictionary(kind):
            array = array.cast(kind.value_type)
        elif pa.types.is_struct(kind) and {field.name for field in kind} == {"data", "shape"}:
            array = pc.struct_field(array, "data")
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            parents = pc.list_parent_indices(array).to_numpy().astype(np.int64)
            rows = parents if rows is None else rows[parents]
            array = pc.list_flatten(array)
        else:
            return array, rows


# --- reductions -------------------------------------------------------------------


def _any(values: pa.Array, rows: Rows, count: int) -> pa.Array:
    is_true = _rows_where(pc.fill_null(values, False), rows, count)
    is_unknown = _rows_where(pc.is_null(values), rows, count) & ~is_true
    return pa.array(is_true, mask=is_unknown)


def _all(values: pa.Array, rows: Rows, count: int) -> pa.Array:
    is_false = _rows_where(pc.invert(pc.fill_null(values, True)), rows, count)
    is_unknown = _rows_where(pc.is_null(values), rows, count) & ~is_false
    return pa.array(~is_false, mask=is_unknown)


def _rows_where(values: Any, rows: Rows, count: int) -> NDArray[np.bool_]:
    found = np.zeros(count, np.bool_)
    found[rows[values.to_numpy(zero_copy_only=False)]] = True
    return found


def _numel(values: pa.Array, rows: Rows, count: int) -> pa.Array:
    is_there = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return pa.array(np.bincount(rows[is_there], minlength=count).astype(np.int64))


def _sum(values: pa.Array, rows: Rows, count: int) -> pa.Array:
    return pc.fill_null(_grouped(values, rows, count, "sum"), 0)


def _grouping(name: str) -> Callable[[pa.Array, Rows, int], pa.Array]:
    return lambda values, rows, count: _grouped(values, rows, count, name)


def _grouped(values: pa.Array, rows: Rows, count: int, function: str) -> pa.Array:
    table = pa.table({"row": rows, "value": values}).group_by("row").aggregate([("value", function)])
    places = np.full(count, -1, np.int64)
    places[table["row"].to_numpy()] = np.arange(len(table))
    return table[f"value_{function}"].combine_chunks().take(pa.array(places, mask=places < 0))


_REDUCTIONS: dict[str, Callable[[pa.Array, Rows, int], pa.Array]] = {
    "any": _any,
    "all": _all,
    "numel": _numel,
    "sum": _sum,
    "mean": _grouping("mean"),
    "min": _grouping("min"),
    "max": _grouping("max"),
}


# --- functions --------------------------------------------------------------------


class _Unfit(Exception):
    """Values that an operator does not go with."""


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _named(kind: pa.DataType) -> str:
    if _is_number(kind):
        return "numbers"
    if _is_text(kind):
        return "text"
    return "true or false" if pa.types.is_boolean(kind) else safe_text(kind)


def _comparing(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compare(left: Any, right: Any) -> Any:
        left, right = _comparable(left, right), _comparable(right, left)
        kinds = [_named(side.type) for side in (left, right) if not pa.types.is_null(side.type)]
        if len(kinds) == 2 and kinds[0] != kinds[1] and not pa.types.is_temporal(left.type):
            raise _Unfit(f"cannot compare {kinds[0]} with {kinds[1]}")
        return function(left, right)

    return compare


def _comparable(side: Any, other: Any) -> Any:
    """One side of a comparison as the other needs it: texts as dates, truth values as numbers."""
    if pa.types.is_temporal(other.type) and _is_text(side.type):
        text = side.as_py() if isinstance(side, pa.Scalar) else None
        try:
            return pa.scalar(np.datetime64(text, "us")).cast(other.type)
        except (ValueError, pa.ArrowInvalid) as error:
            shown = safe_text(text) if text is not None else "a column of texts"
            raise _Unfit(f"expected a date such as 2020-05-31, found {shown}") from error
    if pa.types.is_boolean(side.type) and _is_number(other.type):
        return side.cast("int8")
    if isinstance(side, pa.Scalar) and side.type == pa.float64() and other.type == pa.float32():
        # A number that is written is meant in the precision of the column.
        return side.cast("float")
    if pa.types.is_unsigned_integer(side.type) and pa.types.is_signed_integer(other.type):
        # What both sides hold as doubles differs where it should, save beyond 2**53.
        return side.cast("double", safe=False) if side.type == pa.uint64() else side
    return side


def _numbers(values: Any) -> Any:
    """Values to reckon with: integers as int64, truth values too."""
    if pa.types.is_boolean(values.type):
        return values.cast("int8").cast("int64")
    if pa.types.is_integer(values.type) and values.type != pa.uint64():
        return values.cast("int64")
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        return values.cast("double", safe=False)
    if pa.types.is_null(values.type):
        return values.cast("double")
    raise _Unfit(f"expected numbers, found {_named(values.type)}")


def _reckoning(checked: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    """In whole numbers where both are and nothing overflows, in doubles elsewhere."""

    def reckon(*sides: Any) -> Any:
        numbers = [_numbers(side) for side in sides]
        try:
            return checked(*numbers)
        except pa.ArrowInvalid:
            return plain(*(_doubles(number) for number in numbers))

    return reckon


def _doubles(values: Any) -> Any:
    return _numbers(values).cast("double", safe=False)


def _subtract(left: Any, right: Any) -> Any:
    if pa.types.is_temporal(left.type) and pa.types.is_temporal(right.type):
        return pc.subtract(left, right)
    return _reckoning(pc.subtract_checked, pc.subtract)(left, right)


def _modulo(left: Any, right: Any) -> Any:
    """MATLAB's ``mod``: the result has the sign of the divisor; ``x % 0`` is x."""
    left, right = _doubles(left), _doubles(right)
    whole = pc.floor(pc.divide(left, right))
    rest = pc.subtract(left, pc.multiply(whole, right))
    return pc.if_else(pc.equal(right, 0.0), left, rest)


def _in_doubles(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *sides: function(*map(_doubles, sides))


def _texts(values: Any) -> Any:
    if not _is_text(values.type) and not pa.types.is_null(values.type):
        raise _Unfit(f"expected text, found {_named(values.type)}")
    return values.cast(pa.string()) if pa.types.is_null(values.type) else values


def _of_text(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: function(_texts(values))


def _matching(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def match(values: Any, pattern: Any) -> Any:
        if not isinstance(pattern, pa.Scalar) or not _is_text(pattern.type):
            raise _Unfit("expected a text in quotes on the right side")
        return function(_texts(values), pattern.as_py())

    return match


def _truth(values: Any) -> Any:
    if pa.types.is_null(values.type):
        return values.cast(pa.bool_())
    if not pa.types.is_boolean(values.type):
        raise _Unfit(f"expected a condition such as x > 0, found {_named(values.type)}")
    return values


def _joining(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def join(first: Any, *others: Any) -> Any:
        found = _truth(first)
        for other in others:
            found = function(found, _truth(other))
        return found

    return join


def _is_missing(values: Any) -> Any:
    return pc.is_null(values, nan_is_null=bool(pa.types.is_floating(values.type)))


def _magnitude(values: Any) -> Any:
    """Also of complex numbers."""
    if pa.types.is_struct(values.type) and {field.name for field in values.type} == {"real", "imag"}:
        parts = [pc.struct_field(values, name).to_numpy(zero_copy_only=False) for name in ("real", "imag")]
        return pa.array(np.hypot(*parts), from_pandas=False)
    return _reckoning(pc.abs_checked, pc.abs)(values)


def _part_of_date(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def take(values: Any) -> Any:
        if not pa.types.is_temporal(values.type):
            raise _Unfit(f"expected dates, found {_named(values.type)}")
        return function(values)

    return take


_FUNCTIONS: dict[str, tuple[int, Callable[..., Any] | None]] = {
    "or": (-1, _joining(pc.or_kleene)),
    "and": (-1, _joining(pc.and_kleene)),
    "not": (1, lambda values: pc.invert(_truth(values))),
    "==": (2, _comparing(pc.equal)),
    "!=": (2, _comparing(pc.not_equal)),
    "<": (2, _comparing(pc.less)),
    "<=": (2, _comparing(pc.less_equal)),
    ">": (2, _comparing(pc.greater)),
    ">=": (2, _comparing(pc.greater_equal)),
    "~": (2, _matching(pc.match_substring_regex)),
    "!~": (2, lambda values, pattern: pc.invert(_matching(pc.match_substring_regex)(values, pattern))),
    "+": (2, _reckoning(pc.add_checked, pc.add)),
    "-": (2, _subtract),
    "*": (2, _reckoning(pc.multiply_checked, pc.multiply)),
    "/": (2, _in_doubles(pc.divide)),
    "%": (2, _modulo),
    "^": (2, _in_doubles(pc.power)),
    "negative": (1, _reckoning(pc.negate_checked, pc.negate)),
    "min": (-1, lambda *sides: pc.min_element_wise(*map(_numbers, sides))),
    "max": (-1, lambda *sides: pc.max_element_wise(*map(_numbers, sides))),
    "abs": (1, _magnitude),
    "round": (1, _in_doubles(lambda values: pc.round(values, round_mode="half_towards_infinity"))),
    "floor": (1, _in_doubles(pc.floor)),
    "ceil": (1, _in_doubles(pc.ceil)),
    "sqrt": (1, _in_doubles(pc.sqrt)),
    "exp": (1, _in_doubles(pc.exp)),
    "log": (1, _in_doubles(pc.ln)),
    "isnan": (1, _in_doubles(pc.is_nan)),
    "isfinite": (1, _in_doubles(pc.is_finite)),
    "ismissing": (1, _is_missing),
    "lower": (1, _of_text(pc.utf8_lower)),
    "upper": (1, _of_text(pc.utf8_upper)),
    "strtrim": (1, _of_text(pc.utf8_trim_whitespace)),
    "strlength": (1, _of_text(pc.utf8_length)),
    "startswith": (2, _matching(pc.starts_with)),
    "endswith": (2, _matching(pc.ends_with)),
    "contains": (2, _matching(pc.match_substring)),
    "year": (1, _part_of_date(pc.year)),
    "month": (1, _part_of_date(pc.month)),
    "day": (1, _part_of_date(pc.day)),
}
