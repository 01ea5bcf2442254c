"""Limits for one client: a token bucket for what it costs, a window for events.

The time is an argument, so they never wait and tests need no clock.
"""

from collections import deque


class TokenBucket:
    """Refills steadily up to its size."""

    def __init__(self, rate: float, now: float, size: float) -> None:
        """`rate` is in tokens per second; the bucket starts full, with `size`."""
        self._rate = rate
        self._size = size
        self._tokens = size
        self._then = now

    def has(self, count: int, now: float) -> bool:
        """Return whether `count` tokens are there."""
        self._refill(now)
        return count <= self._tokens

    def take(self, count: int, now: float) -> bool:
        """Take `count` tokens if they are all there."""
        if not self.has(count, now):
            return False
        self._tokens -= count
        return True

    def spend(self, cost: float, now: float) -> None:
        """Take a cost that is known only afterwards, whether or not it is there."""
        self._refill(now)
        self._tokens -= cost

    def wait_s(self, count: int, now: float) -> float:
        """Return in how many seconds `count` tokens (at most a full bucket) will be there.

        For 0 that is how long it takes until nothing is owed.
        """
        self._refill(now)
        return max(min(count, self._size) - self._tokens, 0.0) / self._rate

    def _refill(self, now: float) -> None:
        self._tokens = min(self._size, self._tokens + self._rate * max(now - self._then, 0.0))
        self._then = max(now, self._then)


class Window:
    """Allows at most `count` events in any second."""

    def __init__(self, count: int) -> None:
        self._times: deque[float] = deque(maxlen=count)

    def allow(self, now: float) -> bool:
        """Return whether one more event may happen now, and count it if so."""
        if len(self._times) == self._times.maxlen and now - self._times[0] < 1.0:
            return False
        self._times.append(now)
        return True
