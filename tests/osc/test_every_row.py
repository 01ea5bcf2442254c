"""Every row of the table, through everything that a client can do with it.

A new row is covered as soon as it is in the table: set, query, unit, label, subscription, OSCQuery,
snapshot and preset.
"""

import json
import struct
from collections.abc import Callable, Iterator

import pytest

from nemod.osc.query.answers import QueryAnswers
from nemod.parameters.parameter import Parameter, ParameterKind
from nemod.parameters.table import TABLE
from tests.osc.conftest import Client, MemoryRig, Served, read

KNOBS = ("sustain", "volume", "tone")
PATHS = [*(row.path for row in TABLE), "knob/1", "knob/2", "knob/3", "knob/tone"]


@pytest.fixture
def served(rig: MemoryRig, serve: Callable[..., Served]) -> Iterator[Served]:
    """A server whose model has three knobs."""
    rig.use_knobs(*KNOBS)
    return serve()


def float32(value: float) -> float:
    rounded: float = struct.unpack(">f", struct.pack(">f", value))[0]
    return rounded


def shown(row: Parameter, position: float) -> object:
    """Return what `/nemo/<path>` answers at a position."""
    if row.kind is ParameterKind.BOOL:
        return position >= 0.5
    if row.kind is ParameterKind.ENUM:
        return row.index(position)
    return float32(row.value(position) if row.in_unit else position)


def send(client: Client, path: str, value: object) -> None:
    tag = "T" if value is True else "F" if value is False else "i" if type(value) is int else "f"
    client.send(f"/nemo/{path}", (tag, value))


def changes(client: Client, *addresses: str) -> dict[str, object]:
    """Return the newest values of these addresses, as soon as each was sent."""
    found: dict[str, object] = {}
    while not set(addresses) <= set(found):
        found |= {address: values[0] for address, values in read(client.packet()) if values}
    return {address: found[address] for address in addresses}


@pytest.mark.parametrize("path", PATHS)
def test_a_row_goes_through_everything(rig: MemoryRig, served: Served, path: str) -> None:
    """And has the same value everywhere."""
    row = rig.controller.describe(path)
    there = row.clipped(0.25 if row.default > 0.5 else 0.75)
    elsewhere = row.clipped(1.0 - there)
    expected, other = shown(row, there), shown(row, elsewhere)
    assert expected != other
    client, watcher = served.client(), served.client()
    flags = [("s", "params"), ("s", "text")]
    has_unit = row.kind is ParameterKind.FLOAT
    watcher.send("/nemo/subscribe", *flags, *([("s", "real")] if has_unit else []))
    addresses = [f"/nemo/{path}", f"/nemo/text/{path}"]
    if has_unit:
        addresses.append(f"/nemo/real/{path}")
    changes(watcher, *addresses)

    send(client, path, expected)
    wanted: dict[str, object] = dict(zip(addresses, (expected, row.text(there)), strict=False))
    if has_unit:
        wanted[f"/nemo/real/{path}"] = pytest.approx(row.value(there), rel=1e-6)
    assert changes(watcher, *addresses) == wanted
    for address, value in wanted.items():
        assert client.value(address) == value

    answers: list[object] = []
    query = QueryAnswers(served.server.dispatcher, name="test", osc_port=served.server.port)
    served.call(lambda: answers.append(query.answer(f"/nemo/{path}", "VALUE")))
    (answer,) = answers
    assert json.loads(answer.body)["VALUE"] == [pytest.approx(expected)]  # type: ignore[attr-defined]

    client.send("/nemo/snapshot/save", ("i", 5))
    client.send("/nemo/preset/save", ("s", "Mine"))
    client.until_synced()
    for recall in (("/nemo/snapshot/load", ("i", 5)), ("/nemo/preset/load", ("s", "Mine"))):
        send(client, path, other)
        assert client.value(f"/nemo/{path}") == other
        client.send(*recall)
        client.until_synced()
        assert client.value(f"/nemo/{path}") == (expected if row.is_in_preset else other)
