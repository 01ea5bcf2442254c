"""YAML in which every value keeps the text that was written."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.common.errors import ConfigError
from nemod.common.yaml_reader import Scalar, plain, read_yaml


def read(path: Path, text: str) -> Any:
    """Return the tree of a document."""
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5150", 5150),
        ("0777", 511),
        ("1_000", 1000),
        ("1:30", 90),
        ("on", True),
        ("~", None),
        ("null", None),
        (".5", 0.5),
        ("2024-01-01", date(2024, 1, 1)),
        ("0815", "0815"),
        ("1e3", "1e3"),
        ("2024-13-99", "2024-13-99"),
        ("0x_", "0x_"),
        ("1" * 500, "1" * 500),
        ("99999999999999999999999", "99999999999999999999999"),
    ],
)
def test_a_value_has_the_text_that_was_written(tmp_path: Path, text: str, value: object) -> None:
    """Beside what YAML resolves it to; what cannot be resolved is text."""
    tree = read(tmp_path / "a.yaml", f"key: {text}\n{text}: 1\nlist: [{text}]\nquoted: '{text}'")
    assert tree == {
        "key": Scalar(value, text),
        text: Scalar(1, "1"),
        "list": [Scalar(value, text)],
        "quoted": Scalar(text, text),
    }


def test_plain_values_are_text_where_text_is_expected(tmp_path: Path) -> None:
    """By the keys that lead to a value."""
    tree = read(
        tmp_path / "a.yaml", "name: 5150\nlag: 5150\nnames: [on, 1]\nflags: [on, 1]\nempty:"
    )
    wanted = {("name",), ("names", "[]"), ("empty",)}
    assert plain(tree, wanted.__contains__) == {
        "name": "5150",
        "lag": 5150,
        "names": ["on", "1"],
        "flags": [True, 1],
        "empty": None,
    }


def test_an_empty_file_is_no_tree(tmp_path: Path) -> None:
    """Nor are comments."""
    for text in ("", "# nothing\n"):
        assert read(tmp_path / "a.yaml", text) is None
    assert plain(None, bool) == {}


def test_a_key_that_is_a_list_is_refused(tmp_path: Path) -> None:
    """A document of nemod's has none."""
    with pytest.raises(
        ConfigError, match="line 1, column 3: not YAML: a key must be a single value"
    ):
        read(tmp_path / "a.yaml", "? [a]\n: 1")


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.text(max_size=10)),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(max_size=5), VALUES))
def test_what_pyyaml_writes_is_read_as_pyyaml_reads_it(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]
) -> None:
    """Where no text is asked for."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    text = yaml.safe_dump(tree, allow_unicode=True)
    path.write_text(text, encoding="utf-8", newline="")
    try:
        expected = yaml.safe_load(text)
        found = plain(read_yaml(path), lambda at: False)
    except (ConfigError, yaml.YAMLError):
        assert "\0" in repr(tree) or "\\x00" in repr(tree) or "&" in text
    else:
        assert found == expected
