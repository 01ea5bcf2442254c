"""The entry point of `nemod` and of `python -m nemod`."""

# The guard comes first: see there.
from nemod.common import entry  # isort: skip

import sys
from collections.abc import Callable


def main() -> int:
    """Run `nemod` with the arguments of the process; return its exit status."""
    return entry.run("nemod", _load)


def _load() -> Callable[[], int]:
    from nemod.cli import select

    return select(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
