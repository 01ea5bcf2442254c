"""The pattern matcher against a plain recursive one, and against patterns made to be slow."""

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.osc.addresses.pattern import (
    PatternError,
    Text,
    compile_part,
    is_pattern,
    matches,
    prepare,
)


def oracle(pattern: str, text: str) -> bool:
    """Match by trying everything: the definition, exponential and independent of the code."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "*":
        return any(oracle(rest, text[skip:]) for skip in range(len(text) + 1))
    if head == "{":
        words, rest = rest.split("}", 1)
        return any(
            text.startswith(word) and oracle(rest, text[len(word) :]) for word in words.split(",")
        )
    if not text:
        return False
    if head == "[":
        inside, rest = rest.split("]", 1)
        negated = inside.startswith("!")
        wanted: set[str] = set()
        body = inside[1:] if negated else inside
        while body:
            if len(body) >= 3 and body[1] == "-":
                low, high = sorted((ord(body[0]), ord(body[2])))
                wanted |= {chr(code) for code in range(low, high + 1)}
                body = body[3:]
            else:
                wanted.add(body[0])
                body = body[1:]
        return ((text[0] in wanted) != negated) and oracle(rest, text[1:])
    return (head == "?" or head == text[0]) and oracle(rest, text[1:])


_TOKENS = st.sampled_from(
    (
        "a",
        "b",
        "c",
        "?",
        "*",
        "[a-b]",
        "[!a]",
        "[ac]",
        "[c-a]",
        "[a-]",
        "[b-ca-b]",
        "[!bb-c-]",
        "{a,ab}",
        "{,b}",
        "{abc}",
    )
)


@given(st.lists(_TOKENS, max_size=6).map("".join), st.text("abc-", max_size=6))
def test_agrees_with_trying_everything(pattern: str, text: str) -> None:
    """Whatever pattern and text: the same verdict as the recursive definition."""
    assert oracle(pattern, text) == matches(compile_part(pattern), prepare(text))


@pytest.mark.parametrize("bad", ["[a", "a]", "{a", "a}", "[]", "[!]", "[a[b]", "{a{b}", "{a*}"])
def test_malformed_patterns_are_named(bad: str) -> None:
    """Open, empty and nested brackets are errors, not literals."""
    with pytest.raises(PatternError, match="in '"):
        compile_part(bad)


def test_only_special_characters_make_a_pattern() -> None:
    """Plain addresses never reach the matcher."""
    assert [is_pattern(address) for address in ("/nemo/gain", "/a-b!", "/nemo/*", "/nemo/}")] == [
        False,
        False,
        True,
        True,
    ]


class _CountingPlaces(Mapping[str, int]):
    """Counts how often the text is looked at."""

    def __init__(self, places: Mapping[str, int]) -> None:
        self._places = places
        self.looks = 0

    def __getitem__(self, character: str) -> int:
        self.looks += 1
        return self._places[character]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@pytest.mark.parametrize(
    "pattern", ["*a" * 22, "{a,aa,aaa}" * 12, "*a*" * 15 + "b", "?*" * 22, "*[!b]" * 9]
)
def test_patterns_made_to_be_slow_take_one_look_per_character(pattern: str) -> None:
    """Work is bounded by the pattern's length, however it is written."""
    length, places = prepare("a" * 60 + "c")
    counting = _CountingPlaces(places)
    assert not matches(compile_part(pattern + "x"), Text(length, counting))
    assert counting.looks <= len(pattern) + 1
