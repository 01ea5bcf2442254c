"""Programs, from compilation to a call."""

import os
import subprocess
import sys
from pathlib import Path

TWICE = """
from nemod.common import xla
xla.prepare()
from nemod.engine.program import warm_up_jax
warm_up_jax()
import jax
jax.clear_caches()
warm_up_jax()
"""


def test_a_compilation_cache_of_jax_does_not_disturb_ours(tmp_path: Path) -> None:
    """A program that jax takes from its own cache cannot be serialised, so nemod uses none."""
    always = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    inherited = {name: value for name, value in os.environ.items() if name[:4] != "JAX_"}
    subprocess.run([sys.executable, "-c", TWICE], env=inherited | always, check=True)
