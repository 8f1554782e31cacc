"""``python -m rrframe``."""

from rrframe.cli.main import main

main()
