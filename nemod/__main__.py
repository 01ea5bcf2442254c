"""`python -m nemod` is `nemod`."""

import sys

from nemod.cli import main

if __name__ == "__main__":
    sys.exit(main())
