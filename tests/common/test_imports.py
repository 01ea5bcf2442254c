"""What is imported before a program can handle Ctrl-C."""

import subprocess
import sys
from pathlib import Path

import nemod

ROOT = Path(__file__).resolve().parents[2]


def test_the_guard_is_entered_before_anything_large_is_imported() -> None:
    """The entry points import the standard library and a few small modules of nemod."""
    code = (
        "import sys; before = set(sys.modules); import {}.__main__; "
        "print(*sorted({{name.partition('.')[0] for name in set(sys.modules) - before}}"
        " - set(sys.stdlib_module_names)))"
    )
    for package, expected in (("nemod", "nemod"), ("trainer", "nemod trainer")):
        done = subprocess.run(
            [sys.executable, "-S", "-c", code.format(package)],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert (done.stdout, done.stderr) == (f"{expected}\n", "")


def test_the_public_names_are_imported_when_they_are_used() -> None:
    """`nemod.__all__` is complete, and each name is what it says."""
    assert set(nemod.__all__) <= set(dir(nemod))
    from nemod.builder.offline import render
    from nemod.formats import load_model, save_model
    from nemod.formats.model import Model

    assert (nemod.render, nemod.load_model, nemod.save_model) == (render, load_model, save_model)
    assert nemod.Model is Model
    assert nemod.__version__ in (ROOT / "pyproject.toml").read_text()
