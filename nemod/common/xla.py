"""How XLA compiles for the audio thread: the environment that must be set before jax starts."""

import os
from collections.abc import Mapping

FLAGS = (
    # A matrix product stays on the thread that asks for it.
    "--xla_cpu_multi_thread_eigen=false "
    # Kernels run in the order of the program instead of all that could run at once, which is what
    # makes the runtime hand some of them to its pool.
    "--xla_cpu_enable_concurrency_optimized_scheduler=false "
    # Loops of any size are compiled whole into one kernel where they can be; see nemod.fx.fuse.
    "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1073741824"
)

ENVIRONMENT = {
    "XLA_FLAGS": FLAGS,
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


def prepare(environment: Mapping[str, str] = ENVIRONMENT) -> None:
    """Set what is not set yet; has an effect only before jax compiles for the first time."""
    for name, value in environment.items():
        os.environ.setdefault(name, value)
