"""OSC address patterns, matched in linear time.

A pattern's part (what stands between two slashes) is compiled to tokens. Matching walks the tokens
once and keeps the set of all places in the text that can have been reached, as the bits of one
integer: bit n is set when the first n characters are matched. Nothing is tried twice, so no
pattern can make it slow (Thompson's simulation of an automaton, with bits for states).
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

SPECIAL = frozenset("?*[]{}")
"""Characters that make an address a pattern; no address of the tree has one."""


class PatternError(ValueError):
    """A pattern that is not well-formed, as `[a` or `{a,b`."""


class Literal(NamedTuple):
    """One given character."""

    character: str


class AnyOne(NamedTuple):
    """`?`: any one character."""


class AnyRun(NamedTuple):
    """`*`: any characters, or none."""


class OneOf(NamedTuple):
    """`[a-z]`: one character of the ranges, or with `[!a-z]` one that is in none of them.

    Range n is `lows[n]`..`highs[n]`; they are in order and do not overlap.
    """

    lows: tuple[str, ...]
    highs: tuple[str, ...]
    is_negated: bool


class Either(NamedTuple):
    """`{a,b}`: one of the words."""

    words: tuple[str, ...]


Token = Literal | AnyOne | AnyRun | OneOf | Either
Part = tuple[Token, ...]


def is_pattern(address: str) -> bool:
    """Return whether an address is a pattern."""
    return not SPECIAL.isdisjoint(address)


def compile_part(part: str) -> Part:
    """Return the tokens of one part of a pattern.

    Raises: PatternError where a bracket or brace is left open, closed unopened or empty.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(part):
        character = part[at]
        if character in "[{":
            closing = "]" if character == "[" else "}"
            stop = part.find(closing, at + 1)
            if stop < 0:
                raise PatternError(f"{character!r} without {closing!r} in {part!r}")
            inside = part[at + 1 : stop]
            tokens.append(_one_of(inside, part) if character == "[" else _either(inside, part))
            at = stop + 1
            continue
        if character in "]}":
            raise PatternError(f"{character!r} without its opening in {part!r}")
        if character == "*":
            # Two stars in a row mean the same as one.
            if not (tokens and isinstance(tokens[-1], AnyRun)):
                tokens.append(AnyRun())
        else:
            tokens.append(AnyOne() if character == "?" else Literal(character))
        at += 1
    return tuple(tokens)


def _one_of(inside: str, part: str) -> OneOf:
    negated = inside.startswith("!")
    inside = inside[1:] if negated else inside
    if not inside or not SPECIAL.isdisjoint(inside):
        raise PatternError(
            f"between '[' and ']' stand characters and ranges, as [a-z], in {part!r}"
        )
    ranges = []
    at = 0
    while at < len(inside):
        # A minus at the end stands for itself.
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            low, high = sorted((inside[at], inside[at + 2]))
            ranges.append((low, high))
            at += 3
        else:
            ranges.append((inside[at], inside[at]))
            at += 1
    lows: list[str] = []
    highs: list[str] = []
    for low, high in sorted(ranges):
        if highs and low <= highs[-1]:
            highs[-1] = max(highs[-1], high)
        else:
            lows.append(low)
            highs.append(high)
    return OneOf(tuple(lows), tuple(highs), negated)


def _either(inside: str, part: str) -> Either:
    if not SPECIAL.isdisjoint(inside):
        raise PatternError(f"between '{{' and '}}' stand words, as {{a,b}}, in {part!r}")
    return Either(tuple(inside.split(",")))


class Text(NamedTuple):
    """A text prepared for matching: for each of its characters the set of its places, as bits."""

    length: int
    places: Mapping[str, int]


def prepare(text: str) -> Text:
    """Return the text ready for `matches`."""
    places: dict[str, int] = {}
    for place, character in enumerate(text):
        places[character] = places.get(character, 0) | 1 << place
    return Text(len(text), places)


def matches(part: Part, text: Text) -> bool:
    """Return whether the whole text fits the part.

    Looks at the text's places once per character of the pattern; for a class `[...]`, whatever
    its length, once per different character of the text.
    """
    everything = (1 << text.length) - 1
    reached = 1
    for token in part:
        match token:
            case Literal(character):
                reached = (reached & text.places.get(character, 0)) << 1
            case AnyOne():
                reached = (reached & everything) << 1
            case AnyRun():
                # From the lowest place that was reached, all later ones can be.
                reached = (everything << 1 | 1) & ~((reached & -reached) - 1)
            case OneOf():
                reached = (reached & _places_of(token, text, everything)) << 1
            case Either(words):
                reached = _after_words(reached, words, text)
        if not reached:
            return False
    return bool(reached >> text.length & 1)


def _places_of(token: OneOf, text: Text, everything: int) -> int:
    places = 0
    for character, here in text.places.items():
        nearest = bisect_right(token.lows, character) - 1
        if nearest >= 0 and character <= token.highs[nearest]:
            places |= here
    return everything & ~places if token.is_negated else places


def _after_words(reached: int, words: tuple[str, ...], text: Text) -> int:
    after = 0
    for word in words:
        # A word longer than the text cannot fit; the walk ends as soon as nothing is reached.
        places = reached
        for character in word:
            places = (places & text.places.get(character, 0)) << 1
            if not places:
                break
        after |= places
    return after
