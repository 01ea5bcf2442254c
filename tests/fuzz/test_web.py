"""Malformed HTTP requests and WebSocket frames. `NEMOD_FUZZ` sets their number."""

import os

from tests.fuzz.requests import RequestMutator
from tests.fuzz.web import fuzz_frames, fuzz_requests

COUNT = int(os.environ.get("NEMOD_FUZZ", "10000")) // 50


def test_the_same_seed_makes_the_same_requests() -> None:
    """So that a failure can be reproduced."""
    for make in (RequestMutator.requests, RequestMutator.frames):
        assert list(make(RequestMutator("a"), 50)) == list(make(RequestMutator("a"), 50))
        assert list(make(RequestMutator("a"), 50)) != list(make(RequestMutator("b"), 50))


def test_mutated_requests_are_answered_or_cut_off() -> None:
    """No 500, no error in the log, nothing changed, no connection left, the next one is served."""
    sent = fuzz_requests(COUNT)
    assert sent.count == COUNT
    # Neither answers nor refusals may be rare, or one half of the code is not tested.
    assert sent.statuses[200] > COUNT // 50
    assert sum(count for status, count in sent.statuses.items() if status >= 400) > COUNT // 5
    assert sent.longest_check_s < 2.0


def test_mutated_frames_are_carried_out_or_cut_off() -> None:
    """Likewise; every setting stays in its range."""
    sent = fuzz_frames(COUNT)
    assert sent.statuses[101] == sent.count == COUNT
    assert sent.longest_check_s < 2.0
