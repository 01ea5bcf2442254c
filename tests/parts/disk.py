"""A fixture that makes writes fail, as on a full disk."""

import resource
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Return `small_files(count)`, which limits every file to `count` bytes until the test ends.

    Python ignores SIGXFSZ, so a write fails with EFBIG instead of ENOSPC.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(count: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
