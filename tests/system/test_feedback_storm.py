"""Clients of the whole daemon while others set knobs as fast as they can."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

from tests.parts.feedback_clients import (
    KnobSender,
    Recorder,
    UdpClient,
    allowed_bytes,
    allowed_values,
    differences,
    is_steady,
    knobs_of,
    readable_addresses,
    websocket_client,
)

STORM_S = 3.0
SENDERS, MESSAGES_PER_S = 2, 1_000
"""Two senders, 1,000 messages per second each."""


async def _storm(port: int, http_port: int) -> None:
    readable = await asyncio.to_thread(readable_addresses, http_port)
    knobs = knobs_of(readable)
    assert len(knobs) > 10
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        subscriber = UdpClient("subscriber", port)
        stack.callback(subscriber.close)
        listener = await stack.enter_async_context(
            websocket_client("listener", http_port, readable)
        )
        subscriber.subscribe()
        senders = [UdpClient(f"sender {number}", port) for number in range(SENDERS)]
        for sender in senders:
            stack.callback(sender.close)
        storms = [
            KnobSender(sender, knobs, MESSAGES_PER_S, STORM_S, seed)
            for seed, sender in enumerate(senders)
        ]
        for storm in storms:
            storm.start()
        for storm in storms:
            await asyncio.to_thread(storm.join)
        labels = [knob.replace("/nemo/", "/nemo/text/", 1) for knob in knobs]
        steady = [address for address in readable if is_steady(address)]
        assert await differences(port, [subscriber], [*knobs, *labels]) == []
        assert await differences(port, [listener], steady) == []
        everybody: list[Recorder] = [subscriber, listener, *senders]
        # All of it was sent between both times, so no delay on the way widens the limits.
        seconds = time.monotonic() - began
        sizes = [size for client in everybody for _, size in client.arrivals]
        assert sum(sizes) <= allowed_bytes(seconds)
        for client in (subscriber, listener):
            address, count = client.counts.most_common(1)[0]
            assert count <= allowed_values(seconds), address
        # The storm moved what it should, and the clients were sent more than the first dump.
        assert all(subscriber.counts[knob] > 1 for knob in knobs)


def test_after_a_storm_all_clients_have_the_same_values(start: Any) -> None:
    """2,000 messages a second: the last values are equal everywhere, feedback keeps its limits."""
    daemon = start("--device", "null")
    asyncio.run(_storm(daemon.port, daemon.http_port()))
