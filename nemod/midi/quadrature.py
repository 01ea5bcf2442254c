"""Rotary encoders with two contacts: from their edges to steps.

Both contacts open and close once on the way from one detent to the next, one of them a quarter of
the way ahead. The one that is ahead tells the direction; contacts that bounce go back and forth
between two neighbouring states and cancel out.
"""

_ORDER = {(False, False): 0, (True, False): 1, (True, True): 2, (False, True): 3}
"""Place of each state of the contacts on the way to the right."""


class Quadrature:
    """One encoder."""

    def __init__(self, first: int, second: int) -> None:
        """`first` closes first when it is turned to the right."""
        self.first = first
        self._is_closed = {first: False, second: False}
        self._quarters = 0
        """Quarters of the way since the last detent, positive to the right."""
        self._place = 0

    def edge(self, pin: int, *, is_active: bool) -> int:
        """Take an edge of one contact; return 1 or -1 at a detent that was reached, else 0."""
        self._is_closed[pin] = is_active
        first, second = self._is_closed.values()
        place = _ORDER[first, second]
        moved = (place - self._place) % 4
        self._place = place
        if moved in (1, 3):
            self._quarters += 1 if moved == 1 else -1
        if place != 0:
            return 0
        quarters, self._quarters = self._quarters, 0
        return 0 if abs(quarters) < 2 else 1 if quarters > 0 else -1
