"""Lists of what fails today, in the words of the format.

A test and a file that stand in `FAILURES` must fail: once it works, its line has to go. Tests on all files leave those
out which `REFUSED` and `SCIPY_REFUSES` name, and other tests hold that exactly these are refused.
"""

from __future__ import annotations

REFUSED = {"made/o_bin.mat": "binary data", "made/o_text.mat": "a text", "made/o_textz.mat": "gzip data"}
"""Files of the corpus that are none for `matlens.open`, and what it takes them for: formats of Octave."""

SCIPY_REFUSES = {
    "bad_miuint32.mat": "a negative length",
    "bad_miutf8_array_name.mat": "a name outside ASCII",
    "char_unicode.mat": "surrogate pairs, of which it counts code points",
    "corrupted_zlib_checksum.mat": "a damaged stream",
    "corrupted_zlib_data.mat": "a damaged stream",
    "debigged_m4.mat": "values cut off",
    "malformed1.mat": "a length that does not fit",
}
"""Files of v4 to v7 that `scipy.io.loadmat` does not read."""

OCTAVE_HDF5 = "Octave's HDF5: groups of type and value"
OCTAVE = "a format of Octave"
PLAIN_HDF5 = "HDF5 by other programs: types and spaces that MATLAB does not write"

_VALUES = {"made/o_hdf5.mat": OCTAVE_HDF5, "made/o_map_h5.mat": OCTAVE_HDF5, "made/plain.mat": PLAIN_HDF5}

FAILURES: dict[str, dict[str, str]] = {
    "tests/export/test_consumers.py::test_values_shapes_and_nulls": {
        "o_hdf5.mat": OCTAVE_HDF5,
        "o_map_h5.mat": OCTAVE_HDF5,
    },
    "tests/formats/test_readers.py::test_both_engines_give_equal_trees": {
        "made/o_hdf5.mat": OCTAVE_HDF5,
        "made/o_map_h5.mat": OCTAVE_HDF5,
        "made/plain.mat": PLAIN_HDF5,
    },
    "tests/operations/test_check.py::test_sound_files_are_sound": _VALUES,
    "tests/tree/test_nodes.py::test_every_file_decodes_completely": _VALUES,
}
"""Reasons by test and by file, or by file and variable: where a test has more parameters, all of them fail."""


def reason_to_fail(nodeid: str) -> str | None:
    """Why a test fails with its parameters; None for those that must pass.

    Examples
    --------
    >>> reason_to_fail("tests/operations/test_check.py::test_sound_files_are_sound[made/o_hdf5.mat]")
    "Octave's HDF5: groups of type and value"
    """
    test, _, parameters = nodeid.partition("[")
    for case, reason in FAILURES.get(test, {}).items():
        if parameters == f"{case}]" or parameters.startswith(f"{case}-"):
            return reason
    return None
