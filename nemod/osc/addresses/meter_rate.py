"""How often the meters are sent."""

from dataclasses import dataclass

SLOWEST_HZ = 1.0
FASTEST_HZ = 25.0


@dataclass(slots=True)
class MeterRate:
    """The rate for all subscribers. Thread: control."""

    hz: float = 10.0

    def set(self, hz: float) -> None:
        """Change the rate, clipped to its range."""
        self.hz = min(max(hz, SLOWEST_HZ), FASTEST_HZ)
