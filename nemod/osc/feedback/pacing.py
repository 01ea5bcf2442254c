"""How often feedback is sent, and how much of it in all."""

from nemod.network.limits import TokenBucket

INTERVAL_S = 0.02
"""[s] Between two packets to a client, hence 50 Hz per address."""
BYTES_PER_S = 64_000
"""[bytes] Most that is sent in any second, to all clients together."""
BURST = 16_000
"""[bytes] Of them, what may be sent at once: two full dumps."""


def feedback_budget(now: float) -> TokenBucket:
    """Return a bucket of bytes: what it holds and what it gains in a second are `BYTES_PER_S`."""
    return TokenBucket(BYTES_PER_S - BURST, now, BURST)


class Pace:
    """Something that happens at a rate, at the first occasion after its time has come."""

    def __init__(self) -> None:
        self._next_s = 0.0

    @property
    def next_s(self) -> float:
        """When it may happen again."""
        return self._next_s

    def is_due(self, now: float, interval_s: float) -> bool:
        """Return whether it may happen now, and count it if so.

        The mean rate is kept where occasions come a little too early or too late.
        """
        if now < self._next_s:
            return False
        self._next_s = max(self._next_s + interval_s, now + interval_s / 2.0)
        return True
