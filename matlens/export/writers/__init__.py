"""One module for each output format, or for a few that are alike.

A module that stands here and declares its formats in ``FORMATS`` is found by
`matlens.export.registry`; nothing else needs to know of it. All are imported to tell the
formats, so that each imports NumPy, Arrow and the like where it writes.
"""
