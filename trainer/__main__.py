"""The entry point of `nemod-train` and of `python -m trainer`."""

# Imported first: importing it installs the handling of Ctrl-C during slow imports.
from nemod.common import entry  # isort: skip

import sys
from collections.abc import Callable


def main() -> int:
    """Run `nemod-train` with the arguments of the process; return its exit status."""
    return entry.run("nemod-train", _load)


def _load() -> Callable[[], int]:
    from trainer.cli import select

    return select(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
