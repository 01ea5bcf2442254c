"""Plain YAML in which every value keeps the text that the user wrote.

YAML takes an unquoted `5150` for a number, `on` for a truth value and `2024-01-01` for a date.
Where a name is expected, the reader of a document needs what was written: see `Scalar.text`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from nemod.common.errors import ConfigError
from nemod.common.files import TooLargeError, read_text

MAX_FILE_BYTES = 1 << 20
"""[bytes] Largest YAML file that is read."""
MAX_DIGITS = 400
"""[characters] Longest number in a file; the time for some kinds grows with the square."""
MAX_BITS = 64
"""[bits] Largest whole number in a file; Python could not even show some larger ones."""
_MAX_SHOWN = 200
"""[characters] What an error repeats of the parser's message."""
_NEEDS_QUOTES = (
    "mapping values are not allowed",
    "cannot start any token",
    "expected alphabetic or numeric character",
    "the tag",
    "aliases",
)
_QUOTES = "; a name with : # @ % & * ! or a comma in it needs quotes"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value of a document."""

    value: Any
    """As YAML resolves it: str, int, float, bool, None, a date, bytes."""
    text: str
    """As it was written, without quotes."""


Tree: TypeAlias = Scalar | list["Tree"] | dict[str, "Tree"]
"""A document. Keys are the text that was written: `on: 1` has the key `on`."""


def read_yaml(path: Path, limit: int = MAX_FILE_BYTES) -> Tree | None:
    """Return a YAML file as a tree; None for an empty file.

    A byte order mark is skipped. Tags that make objects and aliases are refused.

    Raises: ConfigError with line and column, for what is unreadable, too large or not plain YAML.
    """
    try:
        text = read_text(path, limit)
    except OSError as error:
        raise ConfigError(str(path), [error.strerror or str(error)]) from None
    except TooLargeError as error:
        raise ConfigError(str(path), [str(error)]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [f"not UTF-8 text, at byte {error.start}"]) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str, *, with_tags: bool = True) -> Tree | None:
    """Return a YAML text as a tree; None for an empty one.

    `source` is what errors name as the file. `with_tags` False refuses every tag.

    Raises: ConfigError with line and column, for what is not plain YAML.
    """
    try:
        loader = _Loader(text)
        loader.with_tags = with_tags
        try:
            node = loader.get_single_node()
            return None if node is None else loader.tree(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise ConfigError(source, ["nested too deeply"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = (getattr(error, "problem", None) or str(error))[:_MAX_SHOWN]
        hint = _QUOTES if any(words in what for words in _NEEDS_QUOTES) else ""
        raise ConfigError(source, [f"{where}not YAML: {what}{hint}"]) from None
    except (ValueError, OverflowError) as error:  # "\UFFFFFFFF": the library lets these through
        raise ConfigError(source, [f"not YAML: {error}"]) from None


def plain(tree: Any, is_text: Callable[[tuple[str, ...]], bool]) -> Any:
    """Return a tree as dicts, lists and plain values; without a tree, an empty dict.

    `is_text` gets the keys that lead to a value, `[]` for an item of a list, and says whether its
    text is wanted instead of what YAML resolves it to.
    """
    return {} if tree is None else _plain(tree, is_text, ())


def _plain(tree: Any, is_text: Callable[[tuple[str, ...]], bool], at: tuple[str, ...]) -> Any:
    if isinstance(tree, dict):
        return {key: _plain(below, is_text, (*at, key)) for key, below in tree.items()}
    if isinstance(tree, list):
        return [_plain(below, is_text, (*at, "[]")) for below in tree]
    if isinstance(tree, Scalar):
        return tree.text if tree.text and is_text(at) else tree.value
    return tree


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases: a few lines of them can grow to any size."""

    with_tags = True

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        refused = ""
        if isinstance(event, yaml.events.AliasEvent):
            refused = "aliases are not allowed"
        elif not self.with_tags and getattr(event, "tag", None) is not None:
            refused = "tags are not allowed"
        if refused:
            raise yaml.composer.ComposerError(None, None, refused, event.start_mark)
        return super().compose_node(parent, index)

    def tree(self, node: yaml.Node) -> Tree:
        """Return what a node stands for."""
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            self.flatten_mapping(node)
            return {self._key(key): self.tree(value) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.tree(item) for item in node.value]
        return self._scalar(node)

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a single value", node.start_mark
            )
        return self._scalar(node).text

    def _scalar(self, node: yaml.Node) -> Scalar:
        """Return a single value; the library's own functions fail at odd ones."""
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        try:
            text.encode()
            if "\0" in text:
                raise ValueError  # noqa: TRY301 - as for what cannot be encoded
            return Scalar(self._resolved(node, text), text)
        except (ValueError, ArithmeticError, LookupError, AttributeError):
            kind = node.tag.rpartition(":")[2]
            what = f"{str(node.value)[:40]!r} cannot be read as {kind}"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None

    def _resolved(self, node: yaml.Node, text: str) -> Any:
        """Return the value of a node; a plain scalar that only looks like a number is text."""
        try:
            if node.tag.endswith((":int", ":float")) and len(text) > MAX_DIGITS:
                raise ValueError  # noqa: TRY301 - as the library does for other numbers
            value = self.construct_object(node, deep=True)
            if isinstance(value, int) and value.bit_length() > MAX_BITS:
                raise ValueError  # noqa: TRY301
        except (ValueError, ArithmeticError, LookupError, AttributeError, yaml.YAMLError):
            is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
            resolved = self.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
            if is_plain and node.tag == resolved:
                return text
            raise
        return value
