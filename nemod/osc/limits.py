"""How many messages and errors one sender may have."""

from nemod.network.limits import TokenBucket
from nemod.osc.codec import MAX_MESSAGES

ERRORS_PER_S = 20
MESSAGES_PER_S = 500
LOOPBACK_MESSAGES_PER_S = 5000


def message_bucket(rate: float, now: float) -> TokenBucket:
    """Return a bucket of messages: one second's worth, but never too few for a packet."""
    return TokenBucket(rate, now, max(rate, float(MAX_MESSAGES)))
