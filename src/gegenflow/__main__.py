"""``python -m gegenflow`` and ``gegenflow``: the console command."""

import sys


def main() -> int:
    """Run the command; an interrupt of its imports is one of the command."""
    try:
        from gegenflow.numerics.validation.command.main import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("gegenflow: interrupted\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
