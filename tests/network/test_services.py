"""What may be announced."""

import pytest

from nemod.network.services import Service, osc_tcp, osc_udp, oscquery


def test_the_services_of_the_daemon() -> None:
    """Types and ports of the contract; the TXT record begins with its version."""
    services = osc_udp(9000), osc_tcp(9001), oscquery(9080)
    for service in services:
        service.check()
    assert [(service.type, service.port) for service in services] == [
        ("_osc._udp", 9000),
        ("_osc._tcp", 9001),
        ("_oscjson._tcp", 9080),
    ]
    assert [service.txt_entries()[0] for service in services] == [b"txtvers=1"] * 3


@pytest.mark.parametrize(
    "service",
    [
        Service("_osc._sctp", 9000, {}),
        Service("osc._udp", 9000, {}),
        Service("_osc", 9000, {}),
        Service("_sixteen-letters-._udp", 9000, {}),
        Service("_a-very-long-type._udp", 9000, {}),
        Service("_123._udp", 9000, {}),
        Service("_osc._udp", 0, {}),
        Service("_osc._udp", 65536, {}),
        Service("_osc._udp", 9000, {"": "1"}),
        Service("_osc._udp", 9000, {"a=b": "1"}),
        Service("_osc._udp", 9000, {"ä": "1"}),
        Service("_osc._udp", 9000, {"a": "x" * 254}),
        Service("_osc._udp", 9000, {"a": "ü" * 127}),
        Service("_osc._udp", 9000, {"a": "x" * 200, "b": "x" * 195}),
    ],
)
def test_what_dns_cannot_carry_is_refused(service: Service) -> None:
    """Types of other protocols or longer than 15, ports that are none, TXT beyond its limits."""
    with pytest.raises(ValueError, match=service.type):
        service.check()


def test_the_limits_themselves_are_allowed() -> None:
    """255 bytes an entry, 400 in all with a length byte for each entry."""
    Service("_fifteen-letters._udp", 65535, {"a": "x" * 253}).check()
    # 2 + 200 + 1 and 2 + 194 + 1 are 400.
    Service("_osc._udp", 1, {"a": "x" * 200, "b": "x" * 194}).check()
