"""``python -m gegenflow``: the console command."""

import sys

from gegenflow.numerics.validation.command.main import main

if __name__ == "__main__":
    sys.exit(main())
