"""Limits for one client, against arithmetic."""

import pytest

from nemod.network.limits import TokenBucket, Window


def test_a_bucket_is_overdrawn_once_and_refills() -> None:
    """10 a second, 20 at once: after 30, nothing for one second."""
    bucket = TokenBucket(10.0, 100.0, 20.0)
    assert bucket.wait_s(0, 100.0) == 0.0
    bucket.spend(30.0, 100.0)
    assert bucket.wait_s(0, 100.0) == pytest.approx(1.0)
    assert bucket.wait_s(0, 100.4) == pytest.approx(0.6)
    assert bucket.wait_s(0, 101.0) == 0.0
    bucket.spend(21.0, 1e6)
    assert bucket.wait_s(0, 1e6) == pytest.approx(0.1)


def test_window_slides() -> None:
    """No second, wherever it begins, has more than the allowed number."""
    window = Window(2)
    times = (0.0, 0.875, 0.9, 1.0, 1.5, 1.875)
    assert [window.allow(now) for now in times] == [True, True, False, True, False, True]
