"""Which `Host` values name this machine."""

import socket
from ipaddress import ip_address

import pytest

from nemod.common.errors import ConfigError
from nemod.network.hosts import LocalHosts
from nemod.network.interfaces import Address

NAMES = ["Pi", "pi.local"]
ADDRESSES = [
    ip_address(text) for text in ("127.0.0.1", "192.168.7.5", "fe80::12", "203.0.113.9", "fd12::5")
]


def hosts(*allowed: str) -> LocalHosts:
    return LocalHosts(allowed, names=lambda: NAMES, addresses=lambda: ADDRESSES)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:9080",
        "localhost.",
        "localhost.:9080",
        "127.0.0.1",
        "127.0.0.1:9080",
        "127.8.9.1:80",
        "[::1]",
        "[::1]:9080",
        "[0:0:0:0:0:0:0:1]:9080",
        "[::ffff:127.0.0.1]",
        "192.168.7.5",
        "192.168.7.5:9080",
        "[::ffff:192.168.7.5]:9080",
        "203.0.113.9:9080",
        "[fd12::5]:9080",
        "[FD12:0::0005]",
        "[fe80::12]:9080",
        "[fe80::12%25eth0]:9080",
        "pi",
        "PI:9080",
        "pi.local",
        "Pi.Local.:9080",
        "pi:",
    ],
)
def test_names_and_addresses_of_the_machine_are_accepted(host: str) -> None:
    """With and without port, in any case and spelling, with the dot of a complete name."""
    assert hosts().is_local(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":9080",
        ".",
        "evil.example",
        "evil.example:9080",
        "pi.local.evil.example",
        "localhost.evil.example",
        "evilpi.local",
        "pi.lan",
        "pi..local",
        "pi.local..",
        "192.168.7.6",
        "192.168.7.5.evil.example",
        "0.0.0.0:9080",
        "[::]:9080",
        "[fd12::6]:9080",
        "fd12::5",
        "::1",
        "[192.168.7.5]",
        "[::1",
        "::1]",
        "[pi]",
        "pi:port",
        "pi:99999",
        "pi:9080:9080",
        "evil@pi",
        "pi/",
        "pi local",
        " pi",
        "pi\n",
        "pi:9080\n",
        "pí",
        "pi:٩",
        "127.1",
        "0x7f000001",
        "2130706433",
        "a" * 300,
    ],
)
def test_everything_else_is_refused(host: str) -> None:
    """Names of others that resolve to this machine, other addresses, and malformed values."""
    assert not hosts().is_local(host)


def test_configured_hosts_are_added() -> None:
    """Names and addresses, exactly; a subdomain or a similar name is not included."""
    allowed = hosts("Rig.Example.org.", "198.51.100.4", "[2001:db8::4]")
    accepted = ("rig.example.org", "RIG.example.org:80", "198.51.100.4:1", "[2001:db8:0::4]:9080")
    refused = ("a.rig.example.org", "example.org", "198.51.100.5", "[2001:db8::5]")
    assert [allowed.is_local(host) for host in accepted + refused] == [True] * 4 + [False] * 4
    assert allowed.is_local("pi.local")


def test_every_bad_entry_is_named() -> None:
    """All problems at once; a port is one, because it would never be compared."""
    with pytest.raises(ConfigError) as caught:
        hosts("rig", "rig:80", "*.example.org", "2001:db8::4", "")
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "'rig:80'",
        "'*.example.org'",
        "'2001:db8::4'",
        "''",
    ]


def test_the_lists_are_read_again_after_a_while() -> None:
    """A new address and a new name are accepted soon; not every request reads the lists."""
    now, reads = [100.0], [0]
    names, addresses = ["pi"], [ip_address("192.168.7.5")]

    def read() -> list[Address]:
        reads[0] += 1
        return addresses

    known = LocalHosts(names=lambda: names, addresses=read, clock=lambda: now[0])
    assert not known.is_local("pi-2.local")
    names.append("pi-2.local.")
    addresses.append(ip_address("10.0.0.7"))
    assert not any(known.is_local("10.0.0.7") for _ in range(100))
    assert reads == [1]
    now[0] += 5.0
    assert known.is_local("pi-2.local")
    assert known.is_local("10.0.0.7:9080")


def test_a_failed_look_keeps_what_was_known() -> None:
    """Where the system cannot list its addresses for a moment, nobody is refused."""
    now, is_failing = [100.0], [False]

    def read() -> list[Address]:
        if is_failing[0]:
            raise OSError
        return ADDRESSES

    known = LocalHosts(names=lambda: NAMES, addresses=read, clock=lambda: now[0])
    assert known.is_local("192.168.7.5")
    is_failing[0] = True
    now[0] += 60.0
    assert known.is_local("192.168.7.5")
    assert known.is_local("pi")


@pytest.mark.parametrize("system", ["Pi", "Pi.example.org"])
def test_the_real_lists(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host name, by mDNS too, with or without the domain that the system is given."""
    monkeypatch.setattr(socket, "gethostname", lambda: system)
    known = LocalHosts()
    accepted = ("pi", "pi.local:9080", "127.0.0.1", "localhost")
    assert [known.is_local(host) for host in accepted] == [True] * 4
    assert not known.is_local("pi.example.com")
