"""A bounded cache."""

from nemod.common.remembered import Remembered
from nemod.network.limits import TokenBucket


def test_memory_is_bounded() -> None:
    """The least recently used item is dropped first."""
    memory = Remembered[str](2)
    for key in ("a", "b", "a", "c"):
        memory.get(key, lambda: "first")
    assert memory.get("a", lambda: "again") == "first"
    assert memory.get("b", lambda: "again") == "again"
    assert len(memory.items()) == 2


def test_the_least_recently_used_host_is_made_anew() -> None:
    """So many hosts cannot fill the memory."""
    made: list[str] = []

    def make(host: str) -> TokenBucket:
        made.append(host)
        return TokenBucket(1.0, 0.0, 1.0)

    buckets = Remembered[TokenBucket](2)
    first = buckets.get("a", lambda: make("a"))
    buckets.get("b", lambda: make("b"))
    assert buckets.get("a", lambda: make("a")) is first
    buckets.get("c", lambda: make("c"))
    assert buckets.get("a", lambda: make("a")) is first
    buckets.get("b", lambda: make("b"))
    assert made == ["a", "b", "c", "b"]
