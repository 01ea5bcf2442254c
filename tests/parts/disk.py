"""Faults of the disk."""

import resource
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Return `small_files(count)`: from now on no file may have more bytes, as on a full disk.

    Python ignores SIGXFSZ, so a write gives EFBIG instead of ENOSPC.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(count: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
