"""Who is served, by source address."""

from ipaddress import ip_network

import pytest

from nemod.common.errors import ConfigError
from nemod.network.access import Access, address_of, attached_networks
from nemod.network.interfaces import Network

ATTACHED = [
    ip_network(text)
    for text in ("127.0.0.0/8", "192.168.7.0/24", "203.0.113.0/24", "fe80::/64", "fd12::/64")
]


def attached() -> list[Network]:
    return list(ATTACHED)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.168.7.23", True),
        ("::ffff:192.168.7.23", True),
        ("fe80::1234%eth0", True),
        ("fd12::99", True),
        ("192.168.8.23", False),
        ("10.0.0.1", False),
        ("203.0.113.9", False),
        ("8.8.8.8", False),
        ("fd13::1", False),
        ("2001:db8::1", False),
    ],
)
def test_private_and_attached_sources_are_served(source: str, expected: bool) -> None:
    """Private is not enough, nor is attached: it takes both, or loopback."""
    assert expected is Access(attached=attached).allows(address_of(source))


def test_local_is_loopback_only() -> None:
    """Even a named network is shut out then."""
    access = Access(local=True, allow=["192.168.7.0/24"], attached=attached)
    sources = ("127.0.0.1", "::1", "192.168.7.23", "fe80::1%lo")
    verdicts = [access.allows(address_of(source)) for source in sources]
    assert verdicts == [True, True, False, False]


def test_named_networks_are_added() -> None:
    """A network or a single address, of either family, with or without host bits."""
    access = Access(allow=["100.64.0.7/10", "198.51.100.4", "2001:db8::/32"], attached=attached)
    sources = ("100.99.1.1", "198.51.100.4", "198.51.100.5", "2001:db8::5", "192.168.7.1")
    verdicts = [access.allows(address_of(source)) for source in sources]
    assert verdicts == [True, True, False, True, True]


def test_every_bad_network_is_named() -> None:
    """All problems at once, each with what is allowed."""
    with pytest.raises(ConfigError) as caught:
        Access(allow=["10.0.0.0/8", "10.0.0.0/33", "home"])
    assert [problem.split()[0] for problem in caught.value.problems] == ["'10.0.0.0/33'", "'home'"]


def test_networks_are_read_again_after_a_while() -> None:
    """A machine that joins another Wi-Fi serves it soon; not every packet reads the list."""
    now, reads = [100.0], [0]
    networks: list[Network] = []

    def read() -> list[Network]:
        reads[0] += 1
        return networks

    access = Access(attached=read, clock=lambda: now[0])
    phone = address_of("192.168.7.23")
    assert not access.allows(phone)
    networks.append(ip_network("192.168.7.0/24"))
    assert not any(access.allows(phone) for _ in range(100))
    assert reads == [1]
    now[0] += 5.0
    assert access.allows(phone)


def test_a_failed_look_keeps_what_was_known() -> None:
    """Where the system cannot tell its addresses for a moment, nobody is cut off."""
    now, is_failing = [100.0], [False]

    def read() -> list[Network]:
        if is_failing[0]:
            raise OSError
        return attached()

    access = Access(attached=read, clock=lambda: now[0])
    assert access.allows(address_of("192.168.7.23"))
    is_failing[0] = True
    now[0] += 60.0
    assert access.allows(address_of("192.168.7.23"))


def test_this_machine_has_a_loopback() -> None:
    """The real list of networks can be read here."""
    assert ip_network("127.0.0.0/8") in attached_networks()
