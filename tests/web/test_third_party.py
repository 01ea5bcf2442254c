"""Other people's OSCQuery clients: python-oscquery (PyPI), and oscquery with ws and osc (npm)."""

import asyncio
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from pythonoscquery.osc_query_client import OSCQueryClient
from pythonoscquery.shared.oscquery_spec import OSCQueryAttribute
from zeroconf import ServiceInfo

from nemod.osc.addresses.tree import build_tree
from tests.web.rig import serve_rig

NODE_MODULES = os.environ.get("NEMOD_NODE_MODULES", "")
"""A folder `node_modules` with oscquery, ws and osc; without it the test is skipped."""
SCRIPT = Path(__file__).with_name("oscquery_client.js")


def _ask_with_python(port: int, addresses: list[str]) -> tuple[Any, dict[str, Any]]:
    """Return HOST_INFO and nodes as python-oscquery understands them."""
    info = ServiceInfo(
        "_oscjson._tcp.local.",
        "nemod on stage._oscjson._tcp.local.",
        addresses=[socket.inet_aton("127.0.0.1")],
        port=port,
    )
    client = OSCQueryClient(info)
    return client.get_host_info(), {address: client.query_node(address) for address in addresses}


def test_python_oscquery_reads_the_host_and_every_value() -> None:
    """Values and types of all readable addresses; it cannot represent one that is write-only."""

    async def main() -> None:
        async with serve_rig(knobs=("Drive", "Tone")) as served:
            leaves = build_tree(served.rig.controller.parameters).leaves
            readable = [address for address, leaf in leaves.items() if leaf.read]
            host, nodes = await asyncio.to_thread(
                _ask_with_python, served.web.port, [*readable, "/nemo/status", "/nemo/nothing"]
            )
            assert (host.name, host.osc_port) == ("nemod on stage", served.osc.port)
            assert (host.osc_transport, host.extensions["LISTEN"]) == ("UDP", True)
            assert nodes.pop("/nemo/nothing") is None
            status = nodes.pop("/nemo/status")
            assert len(status.contents) == sum(a.startswith("/nemo/status/") for a in readable)
            for address, node in nodes.items():
                answer = served.query.answer(address, "VALUE")
                (expected,) = json.loads(answer.body).values()
                assert node.attributes[OSCQueryAttribute.VALUE] == expected, address

    asyncio.run(main())


@pytest.mark.oscquery
def test_an_npm_client_sets_queries_listens_and_sends_a_bundle() -> None:
    """Oscquery 1.1 reads the tree, ws and osc.js talk over the WebSocket."""
    if not NODE_MODULES or not shutil.which("node"):
        pytest.skip("NEMOD_NODE_MODULES names no folder with npm's oscquery, ws and osc")

    async def main() -> tuple[str, list[str]]:
        async with serve_rig(knobs=("Drive", "Tone")) as served:
            process = await asyncio.create_subprocess_exec(
                "node",
                str(SCRIPT),
                str(served.web.port),
                env=os.environ | {"NODE_PATH": NODE_MODULES},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            out, _ = await process.communicate()
            assert process.returncode == 0, out
            return out.decode(), list(build_tree(served.rig.controller.parameters).leaves)

    said, addresses = asyncio.run(main())
    assert f"addresses: {len(addresses)}" in said
    received = [json.loads(line[3:]) for line in said.splitlines() if line.startswith("<- ")]
    expected = [
        {"address": "/nemo/bass", "args": [0.5]},
        {"address": "/nemo/text/bass", "args": ["+0.0 dB"]},
        # Set: not its own value, but the label that it listens to.
        {"address": "/nemo/text/bass", "args": ["+6.0 dB"]},
        # Query.
        {"address": "/nemo/treble", "args": [0.5]},
        # A bundle.
        {"address": "/nemo/text/bass", "args": ["-6.0 dB"]},
        # Clipped: answered on the address that was set, too.
        {"address": "/nemo/bass", "args": [1]},
        {"address": "/nemo/text/bass", "args": ["+12.0 dB"]},
        {"address": "/nemo/real/bass", "args": [12]},
        # Ignores the label from here on; a background job.
        {"address": "/nemo/done", "args": ["/nemo/model/load", "fuzz"]},
        {"address": "/nemo/done", "args": ["/nemo/model/rescan", "4"]},
        {"COMMAND": "PATH_CHANGED", "DATA": "/nemo/model"},
        {"COMMAND": "PATH_CHANGED", "DATA": "/nemo/preset"},
    ]
    assert received == expected
