"""How XLA compiles for the audio thread: environment variables to set before jax is used."""

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

FLAGS = (
    # Matrix products run on the calling thread; small ones are compiled into the kernel that needs
    # them instead of being calls of a library.
    "--xla_cpu_multi_thread_eigen=false "
    "--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT "
    # Kernels run in the order of the program. With concurrency the runtime would hand some of them
    # to its thread pool.
    "--xla_cpu_enable_concurrency_optimized_scheduler=false "
    # Loops of any size are compiled into one kernel where possible; see nemod.fx.tools.fuse.
    "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1073741824"
)

ENVIRONMENT = {
    "XLA_FLAGS": FLAGS,
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # A program that jax took from a cache of its own cannot be serialised again; nemod has its own
    # (nemod.builder.program_cache).
    "JAX_ENABLE_COMPILATION_CACHE": "false",
}


def prepare(environment: Mapping[str, str] = ENVIRONMENT) -> None:
    """Set the variables that are not set yet; effective only before jax first compiles."""
    for name, value in environment.items():
        os.environ.setdefault(name, value)


@cache
def vector_lanes() -> int:
    """Return how many float32 numbers XLA's matrix-vector code handles at once here."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return 4
    flags: list[str] = []
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return 16 if "avx512f" in flags else 8
