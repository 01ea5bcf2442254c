"""Which connections and requests are served."""

from ipaddress import ip_address

import pytest

from nemod.common.errors import ConfigError
from nemod.network.access import Access
from nemod.network.hosts import LocalHosts
from nemod.web.guard import Guard


def guard(*allow_hosts: str, access: Access | None = None) -> Guard:
    hosts = LocalHosts(
        allow_hosts, names=lambda: ["rig"], addresses=lambda: [ip_address("192.168.1.5")]
    )
    return Guard(access or Access(attached=list), allow_hosts, hosts=hosts)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["127.0.0.1:9080"], True),
        (["[::1]:9080"], True),
        (["localhost"], True),
        (["rig:9080"], True),
        (["192.168.1.5:9080"], True),
        (["my.name:9080"], True),
        (["192.168.1.6:9080"], False),
        (["evil.example"], False),
        (["localhost.evil.example"], False),
        ([""], False),
        ([], False),
        (["localhost", "localhost"], False),
        (["local host"], False),
    ],
)
def test_host_names_this_machine_once(values: list[str], expected: bool) -> None:
    """Names and addresses of the machine and of the configuration, with any port."""
    assert guard("my.name").is_host(values) is expected


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        (None, "rig:9080", True),
        ("http://rig:9080", "rig:9080", True),
        ("http://RIG:9080", "rig:9080", True),
        ("http://[::1]:9080", "[::1]:9080", True),
        ("http://my.name", "rig:9080", True),
        ("https://my.name:8443", "rig:9080", True),
        ("http://rig:3000", "rig:9080", False),
        ("http://rig", "rig:9080", False),
        ("https://rig:9080", "rig:9080", False),
        ("http://localhost:9080", "rig:9080", False),
        ("http://evil.example", "rig:9080", False),
        ("http://rig:9080@evil.example", "rig:9080", False),
        ("null", "rig:9080", False),
        ("", "rig:9080", False),
        ("file://", "rig:9080", False),
        ("http://[", "rig:9080", False),
    ],
)
def test_an_upgrade_comes_from_the_same_origin(
    origin: str | None, host: str, expected: bool
) -> None:
    """Or from a host of the configuration; clients that are no browsers have none."""
    values = [] if origin is None else [origin]
    assert guard("my.name").is_origin(values, host) is expected


def test_two_origins_are_none() -> None:
    """Neither browsers nor other clients send two."""
    assert not guard().is_origin(["http://rig:9080"] * 2, "rig:9080")


def test_hosts_are_those_of_osc() -> None:
    """The source address decides, as it does for a datagram."""
    assert guard(access=Access(local=True)).admits(ip_address("127.0.0.1"))
    assert not guard(access=Access(local=True)).admits(ip_address("192.168.1.9"))
    allowed = guard(access=Access(allow=["203.0.113.0/24"], attached=list))
    assert allowed.admits(ip_address("203.0.113.9"))
    assert not allowed.admits(ip_address("203.0.114.9"))


def test_a_wrong_entry_is_an_error() -> None:
    """As in the rest of the configuration."""
    with pytest.raises(ConfigError, match="allow_hosts"):
        Guard(Access(attached=list), ["a host"])
