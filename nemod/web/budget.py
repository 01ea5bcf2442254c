"""A budget that refills steadily: what one client may cost."""

import time
from collections.abc import Callable


class Budget:
    """Limits a cost that is known only afterwards: it may be overdrawn once, and then refills."""

    def __init__(
        self, rate: float, size: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`rate` is per second; the budget starts with `size`, and never holds more."""
        self._rate = rate
        self._size = size
        self._clock = clock
        self._left = size
        self._then = clock()

    def spend(self, cost: float) -> None:
        """Take the cost, whether or not it is there."""
        self._refill()
        self._left -= cost

    def wait_s(self) -> float:
        """Return in how many seconds something is left; 0 where something is."""
        self._refill()
        return max(-self._left, 0.0) / self._rate

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._size, self._left + self._rate * (now - self._then))
        self._then = now


class Budgets:
    """One budget for each host; the hosts that came first are forgotten when there are too many."""

    def __init__(self, most: int, make: Callable[[str], Budget]) -> None:
        """`most`: hosts. `make`: host -> a new budget."""
        self._most = most
        self._make = make
        self._budgets: dict[str, Budget] = {}

    def of(self, host: str) -> Budget:
        """Return the budget of a host."""
        # Taken out first, so that the host stands last among those to be forgotten.
        budget = self._budgets.pop(host, None) or self._make(host)
        if len(self._budgets) >= self._most:
            del self._budgets[next(iter(self._budgets))]
        self._budgets[host] = budget
        return budget
