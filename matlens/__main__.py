"""``python -m matlens``."""

from matlens.cli import main

main()
