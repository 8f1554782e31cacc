"""``python -m rrframe``."""

from rrframe.cli.main import main

if __name__ == "__main__":  # worker processes import this module again
    main()
