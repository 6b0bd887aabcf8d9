"""What single HDF5 objects say of themselves: attributes, dims, class, types."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5l, h5s, h5t, h5z
from numpy.typing import NDArray

from matlens.errors import CorruptFile, LimitExceeded, UnsafeFile, UnsupportedValue
from matlens.formats.records import CLASS_DTYPES, MatlabClass
from matlens.formats.reference.libhdf5 import H5_ERRORS

__all__ = [
    "all_attributes",
    "attribute",
    "child_address",
    "class_of_dtype",
    "describe_storage",
    "dims_of",
    "is_complex",
    "is_reference",
    "join_letters",
    "read_window",
    "stored_size",
]

_LAYOUTS = {h5d.COMPACT: "compact", h5d.CONTIGUOUS: "contiguous", h5d.CHUNKED: "chunked", h5d.VIRTUAL: "virtual"}
_FILTERS = {h5z.FILTER_SHUFFLE: "shuffle", h5z.FILTER_FLETCHER32: "fletcher32", h5z.FILTER_SZIP: "szip"}
_SHOWN = 20
"""Values of an attribute that are shown."""
_BY_DTYPE = {dtype: cls for cls, dtype in CLASS_DTYPES.items()}


def child_address(group: Any, name: bytes) -> int:
    """Address of a member of a group; only hard links are followed."""
    try:
        info = group.links.get_info(name)
    except H5_ERRORS:
        raise CorruptFile(f"link {name.decode('utf-8', 'replace')!r} is missing or damaged") from None
    if info.type != h5l.TYPE_HARD:
        kind = "an external link" if info.type == h5l.TYPE_EXTERNAL else "a soft link"
        raise UnsafeFile(f"{kind} is stored instead of a value, and links are not followed")
    return int(info.u)


def stored_size(object_id: Any) -> tuple[bool, int | None]:
    """Whether a data set is compressed, and how many bytes it takes in the file."""
    if not isinstance(object_id, h5d.DatasetID):
        return False, None
    return object_id.get_create_plist().get_nfilters() > 0, object_id.get_storage_size()


def all_attributes(object_id: Any) -> dict[str, Any]:
    """Values of all attributes but the list of fields, which may be long."""
    values = {}
    for index in range(h5a.get_num_attrs(object_id)):
        attribute = h5a.open(object_id, index=index)
        name = attribute.name.decode("utf-8", "replace")
        if name != "MATLAB_fields":
            values[name] = attribute_value(attribute, name)
    return values


def attribute(object_id: Any, name: bytes) -> Any:
    """Value of an attribute, or None where there is none."""
    if not h5a.exists(object_id, name):
        return None
    return attribute_value(h5a.open(object_id, name), name.decode())


def attribute_value(attribute: Any, name: str) -> Any:
    if math.prod(attribute.shape) > 1 << 20:
        raise LimitExceeded(f"attribute {name} declares {attribute.shape} values")
    values = np.empty(attribute.shape, attribute.dtype)
    attribute.read(values)
    if attribute.shape == ():
        return values[()]
    return values.item() if values.size == 1 and not is_vlen(values) else values


def describe_storage(object_id: Any) -> dict[str, Any]:
    """Layout, chunks, filters and attributes of an object; dims in MATLAB's order."""
    attributes = {name: _plain(value) for name, value in all_attributes(object_id).items()}
    if not isinstance(object_id, h5d.DatasetID):
        return {"layout": "group", "attributes": attributes}
    creation = object_id.get_create_plist()
    layout = _LAYOUTS.get(creation.get_layout(), "unknown")
    chunk = list(creation.get_chunk()[::-1]) if layout == "chunked" else None
    filters = [creation.get_filter(k) for k in range(creation.get_nfilters())]
    return {
        "type": _type_text(object_id),
        "layout": layout,
        **({"chunk": chunk} if chunk else {}),
        "filters": [_filter_text(code, values, name) for code, _, values, name in filters],
        "bytes": int(object_id.get_storage_size()),
        "attributes": attributes,
    }


def _type_text(dataset: Any) -> str:
    if is_reference(dataset):
        return "reference"
    dtype = dataset.dtype
    return f"complex {dtype['real']}" if dtype.names == ("real", "imag") else str(dtype)


def _filter_text(code: int, values: tuple[int, ...], name: bytes) -> str:
    if code == h5z.FILTER_DEFLATE and values:
        return f"deflate {values[0]}"
    return _FILTERS.get(code) or name.decode("utf-8", "replace") or f"filter {code}"


def _plain(value: Any) -> Any:
    """An attribute as text, a number, or a list of these."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.ravel()[:_SHOWN].tolist()]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value if isinstance(value, int | float) else str(value)


def join_letters(letters: Any) -> list[bytes]:
    """Names stored as variable-length lists of single characters."""
    return [b"".join(np.asarray(name).ravel().tolist()) for name in np.asarray(letters, object).ravel()]


def is_vlen(values: NDArray[Any]) -> bool:
    return values.dtype == object and h5py.check_ref_dtype(values.dtype) is None


def dims_of(dataset: Any) -> tuple[int, ...]:
    shape = tuple(int(d) for d in dataset.shape)
    if max(math.prod(shape), *shape, 0) >= 1 << 53:
        raise LimitExceeded(f"dims {'x'.join(map(str, shape[::-1]))} are beyond any memory")
    if len(shape) < 2:
        # A vector of plain HDF5 is a column, as h5read of MATLAB returns it.
        return (shape[0] if shape else 1, 1)
    return shape[::-1]


def read_window(dataset: Any, axis: int, start: int, stop: int) -> NDArray[Any]:
    """Part of a data set along a dimension of MATLAB's, in the order of HDF5's."""
    first, count = [0] * dataset.rank, list(dataset.shape)
    first[dataset.rank - 1 - axis], count[dataset.rank - 1 - axis] = start, stop - start
    space = dataset.get_space()
    space.select_hyperslab(tuple(first), tuple(count))
    values = np.empty(count, dataset.dtype)
    dataset.read(h5s.create_simple(tuple(count)), space, values)
    return values


def is_reference(object_id: Any) -> bool:
    return isinstance(object_id, h5d.DatasetID) and isinstance(object_id.get_type(), h5t.TypeReferenceID)


def is_complex(dataset: Any, offset: int) -> bool:
    if not isinstance(dataset.get_type(), h5t.TypeCompoundID):
        return False
    names = dataset.dtype.names or ()
    if names != ("real", "imag"):
        raise UnsupportedValue(f"a compound of {', '.join(names)} is no MATLAB value", offset=offset)
    return True


def class_of_dtype(dataset: Any, offset: int) -> int:
    """Class of a data set that does not name it: inside sparse groups, or not from MATLAB."""
    if is_reference(dataset):
        return MatlabClass.CELL
    dtype = dataset.dtype
    if dtype.names == ("real", "imag"):
        dtype = dtype["real"]
    found = _BY_DTYPE.get(dtype.newbyteorder("="))
    if found is None:
        raise UnsupportedValue(f"HDF5 type {dtype} is no MATLAB value", offset=offset)
    return found
