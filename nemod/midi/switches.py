"""Switches: presses, releases and long presses, from switches that bounce, latch or never release.

Many footswitches send nothing when they are released. One that has a long press is therefore
watched: until a release has been seen, a press without one counts as short.
"""

import math
from collections.abc import Callable

from nemod.common.timers import Timer, Timers

BOUNCE_S = 0.03
"""[s] A press so soon after another is the same one, or comes from a stuck switch."""
SILENT_S = 2.0
"""[s] A switch that was not released after this time sends no releases, as far as is known."""
TAPPING_S = 3.0
"""[s] How long presses are taps after a long press that taps the tempo: a beat at 20 BPM."""

At = Callable[[float], None]
"""Called with the time [s] of a press, on the monotonic clock."""


class Switch:
    """One switch. Thread: control."""

    def __init__(
        self,
        timers: Timers,
        press: At,
        *,
        release: At | None = None,
        repeat: At | None = None,
        is_limited: bool = True,
    ) -> None:
        """Call `press` and `release` when that happens.

        `repeat`: instead of `press` for one without a release since the last. `is_limited`: presses
        that follow too fast are left out.
        """
        self._timers = timers
        self._press = press
        self._release = release
        self._repeat = repeat or press
        self._is_limited = is_limited
        self._is_on: bool | None = None
        self._pressed_s = -math.inf

    def take(self, is_on: bool) -> None:
        """Take a message of the switch."""
        now, was_on = self._timers.now_s(), self._is_on
        if not is_on:
            self._is_on = False
            if self._release is not None and was_on is not False:
                self._release(now)
        elif not self._is_limited or now - self._pressed_s >= BOUNCE_S:
            self._is_on, self._pressed_s = True, now
            (self._repeat if was_on else self._press)(now)

    def let_go(self) -> None:
        """Release it where it is pressed: its controller was disconnected."""
        if self._is_on:
            self.take(is_on=False)

    def close(self) -> None:
        """Nothing waits."""


class LongPressSwitch:
    """A switch with another function when it is held. Thread: control."""

    def __init__(
        self,
        timers: Timers,
        press: At,
        long: At,
        *,
        hold_s: float,
        taps: bool = False,
        sends_releases: bool = False,
    ) -> None:
        """Call `press` when it is released soon, and `long` when it was held for `hold_s`.

        `taps`: after a long press, the next presses are `long`, too. `sends_releases`: this kind of
        switch is known to.
        """
        self._timers = timers
        self._press = press
        self._long = long
        self._hold_s = hold_s
        self._taps = taps
        self._sends_releases: bool | None = sends_releases or None
        """None: not known yet."""
        self._is_on = False
        self._pressed_s = -math.inf
        self._tapped_s = -math.inf
        self._timer: Timer | None = None
        """Runs while it is not clear what a press is."""

    def take(self, is_on: bool) -> None:
        """Take a message of the switch."""
        now = self._timers.now_s()
        if is_on:
            self._on(now)
        elif self._is_on:
            self._off(now)

    def let_go(self) -> None:
        """Forget a press: its controller was disconnected."""
        self._is_on = False
        self.close()

    def close(self) -> None:
        """Forget a press that waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on(self, now: float) -> None:
        if now - self._pressed_s < BOUNCE_S:
            return
        if self._is_on:
            self._sends_releases = False
        self._is_on, self._pressed_s = True, now
        self.close()
        if self._taps and now - self._tapped_s <= TAPPING_S:
            self._tapped_s = now
            self._long(now)
        elif self._sends_releases is False:
            self._press(now)
        else:
            self._wait(self._hold_s, self._held)

    def _off(self, now: float) -> None:
        self._is_on = False
        self._sends_releases = True
        if self._timer is None:
            return
        self.close()
        if now - self._pressed_s >= self._hold_s:
            self._long_press()
        else:
            self._press(self._pressed_s)

    def _wait(self, delay_s: float, work: Callable[[], None]) -> None:
        self._timer = self._timers.later(delay_s, work)

    def _held(self) -> None:
        """Called when the switch was held long enough, or sends no releases."""
        self._timer = None
        if self._sends_releases:
            self._long_press()
        else:
            self._wait(max(SILENT_S - self._hold_s, 0.0), self._silent)

    def _silent(self) -> None:
        self._timer = None
        self._sends_releases = False
        self._press(self._pressed_s)

    def _long_press(self) -> None:
        if self._taps:
            self._tapped_s = self._timers.now_s()
        self._long(self._pressed_s)
