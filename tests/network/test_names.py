"""Valid mDNS names from any host name."""

import pytest

from nemod.network.names import alternative_host, alternative_instance, host_label, instance_label


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("pi", "pi"),
        ("Pi", "pi"),
        ("pi.example.org", "pi"),
        ("stage_left", "stage-left"),
        ("Gitarrenbüro", "gitarrenburo"),
        ("-pi-", "pi"),
        ("a b\tc", "a-b-c"),
        ("ギター", "nemod"),
        ("", "nemod"),
        ("a" * 64, "a" * 63),
        ("a" * 62 + "-b", "a" * 62),
        ("pi\udcff", "pi"),
    ],
)
def test_host_label(host: str, expected: str) -> None:
    """Letters, digits and hyphens, not at the ends; 63 at most; never empty."""
    assert host_label(host) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nemod on pi", "nemod on pi"),
        ("nemod on Gitarrenbüro", "nemod on Gitarrenbüro"),
        ("nemod on Gitarrenbu\u0308ro", "nemod on Gitarrenb\u00fcro"),
        ("nemod\non\x00 pi\x7f", "nemodon pi"),
        ("nemod on pi.lan", "nemod on pi-lan"),
        ("nemod on " + "ギ" * 30, "nemod on " + "ギ" * 18),  # 9 + 3 * 18 = 63 bytes
        ("x" * 62 + "ü", "x" * 62),
        ("nemod on \udcff", "nemod on ?"),
        ("\n", "nemod"),
    ],
)
def test_instance_label(name: str, expected: str) -> None:
    """At most 63 bytes of whole characters, without control characters."""
    assert instance_label(name) == expected
    assert len(expected.encode()) <= 63


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nemod on pi", "nemod on pi #2"),
        ("nemod on pi #2", "nemod on pi #3"),
        ("nemod on pi #99", "nemod on pi #100"),
        ("x" * 63, "x" * 60 + " #2"),
        ("ü" * 31, "ü" * 30 + " #2"),
        ("y" * 60 + " #9", "y" * 59 + " #10"),
    ],
)
def test_alternative_instance(name: str, expected: str) -> None:
    """The next number, in 63 bytes of whole characters."""
    assert alternative_instance(name) == expected
    assert len(expected.encode()) <= 63


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("pi", "pi-2"),
        ("pi-2", "pi-3"),
        ("a" * 63, "a" * 61 + "-2"),
        ("b" * 61 + "-9", "b" * 60 + "-10"),
    ],
)
def test_alternative_host(label: str, expected: str) -> None:
    """The next number, in 63 bytes."""
    assert alternative_host(label) == expected
    assert len(expected) <= 63
