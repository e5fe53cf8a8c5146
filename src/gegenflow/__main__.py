"""``python -m gegenflow``: the console command."""

import sys

from gegenflow.numerics.validation.command.cli import main

if __name__ == "__main__":
    sys.exit(main())
