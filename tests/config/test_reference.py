"""The reference page of the configuration."""

from pathlib import Path

from nemod.config import load
from nemod.config.options import OPTIONS
from nemod.config.reference import reference_page


def test_the_page_is_current() -> None:
    """The page in docs is what the declarations say now."""
    page = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
    assert reference_page() == page.read_text(encoding="utf-8")


def test_every_option_is_on_the_page() -> None:
    """With its flag, if it has one."""
    page = reference_page()
    for key, option in OPTIONS.items():
        assert f"| `{key}` | " in page
        assert option.declaration.flag in page


def test_the_example_of_the_page_is_valid(tmp_path: Path) -> None:
    """A user may copy it."""
    example = reference_page().partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "c.yaml").write_text(example)
    config = load(tmp_path / "c.yaml", {})
    assert (config.audio.device, config.audio.output) == ("UMC202HD", (1, 2))
    assert config.library == (Path.home() / "amps",)
