"""libasound through cffi in its ABI mode: the only module that imports cffi.

No compiler is needed where nemod is installed. Every call releases the interpreter lock while it
is in the library, so a thread that waits for a card stops no other.
"""

import errno
import functools
from typing import Any, NamedTuple

from nemod.common.errors import AudioError

SONAME = "libasound.so.2"
REMEDY = (
    "install it (Debian, Raspberry Pi OS: apt install libasound2, since Debian 13 libasound2t64; "
    "Fedora: dnf install alsa-lib)"
)

PLAYBACK, CAPTURE = 0, 1
NONBLOCK = 1
RW_INTERLEAVED, RW_NONINTERLEAVED = 3, 4
STATE_XRUN, STATE_SUSPENDED, STATE_DISCONNECTED = 4, 7, 8
GONE = frozenset({-errno.ENODEV, -errno.ENXIO, -errno.ESHUTDOWN})
"""What a call returns when the card was unplugged."""

_DECLARATIONS = """
typedef struct snd_pcm snd_pcm_t;
typedef struct snd_pcm_hw_params snd_pcm_hw_params_t;
typedef struct snd_pcm_sw_params snd_pcm_sw_params_t;
typedef unsigned long snd_pcm_uframes_t;
typedef long snd_pcm_sframes_t;

const char *snd_strerror(int);
int snd_config_update(void);
int snd_config_update_free_global(void);

int snd_pcm_open(snd_pcm_t **, const char *, int, int);
int snd_pcm_close(snd_pcm_t *);
int snd_pcm_state(snd_pcm_t *);
int snd_pcm_prepare(snd_pcm_t *);
int snd_pcm_start(snd_pcm_t *);
int snd_pcm_drop(snd_pcm_t *);
int snd_pcm_resume(snd_pcm_t *);
int snd_pcm_wait(snd_pcm_t *, int);
int snd_pcm_link(snd_pcm_t *, snd_pcm_t *);
int snd_pcm_delay(snd_pcm_t *, snd_pcm_sframes_t *);
snd_pcm_sframes_t snd_pcm_readi(snd_pcm_t *, void *, snd_pcm_uframes_t);
snd_pcm_sframes_t snd_pcm_writei(snd_pcm_t *, const void *, snd_pcm_uframes_t);
snd_pcm_sframes_t snd_pcm_readn(snd_pcm_t *, void **, snd_pcm_uframes_t);
snd_pcm_sframes_t snd_pcm_writen(snd_pcm_t *, void **, snd_pcm_uframes_t);

int snd_pcm_hw_params_malloc(snd_pcm_hw_params_t **);
void snd_pcm_hw_params_free(snd_pcm_hw_params_t *);
int snd_pcm_hw_params_any(snd_pcm_t *, snd_pcm_hw_params_t *);
int snd_pcm_hw_params_test_access(snd_pcm_t *, snd_pcm_hw_params_t *, int);
int snd_pcm_hw_params_set_access(snd_pcm_t *, snd_pcm_hw_params_t *, int);
int snd_pcm_hw_params_test_format(snd_pcm_t *, snd_pcm_hw_params_t *, int);
int snd_pcm_hw_params_set_format(snd_pcm_t *, snd_pcm_hw_params_t *, int);
int snd_pcm_hw_params_get_channels_min(const snd_pcm_hw_params_t *, unsigned int *);
int snd_pcm_hw_params_get_channels_max(const snd_pcm_hw_params_t *, unsigned int *);
int snd_pcm_hw_params_test_channels(snd_pcm_t *, snd_pcm_hw_params_t *, unsigned int);
int snd_pcm_hw_params_set_channels(snd_pcm_t *, snd_pcm_hw_params_t *, unsigned int);
int snd_pcm_hw_params_test_rate(snd_pcm_t *, snd_pcm_hw_params_t *, unsigned int, int);
int snd_pcm_hw_params_set_rate(snd_pcm_t *, snd_pcm_hw_params_t *, unsigned int, int);
int snd_pcm_hw_params_get_rate_min(const snd_pcm_hw_params_t *, unsigned int *, int *);
int snd_pcm_hw_params_get_rate_max(const snd_pcm_hw_params_t *, unsigned int *, int *);
int snd_pcm_hw_params_set_period_size_near(snd_pcm_t *, snd_pcm_hw_params_t *, snd_pcm_uframes_t *, int *);
int snd_pcm_hw_params_set_buffer_size_min(snd_pcm_t *, snd_pcm_hw_params_t *, snd_pcm_uframes_t *);
int snd_pcm_hw_params_set_buffer_size_near(snd_pcm_t *, snd_pcm_hw_params_t *, snd_pcm_uframes_t *);
int snd_pcm_hw_params_get_period_size(const snd_pcm_hw_params_t *, snd_pcm_uframes_t *, int *);
int snd_pcm_hw_params_get_buffer_size(const snd_pcm_hw_params_t *, snd_pcm_uframes_t *);
int snd_pcm_hw_params(snd_pcm_t *, snd_pcm_hw_params_t *);

int snd_pcm_sw_params_malloc(snd_pcm_sw_params_t **);
void snd_pcm_sw_params_free(snd_pcm_sw_params_t *);
int snd_pcm_sw_params_current(snd_pcm_t *, snd_pcm_sw_params_t *);
int snd_pcm_sw_params_get_boundary(const snd_pcm_sw_params_t *, snd_pcm_uframes_t *);
int snd_pcm_sw_params_set_start_threshold(snd_pcm_t *, snd_pcm_sw_params_t *, snd_pcm_uframes_t);
int snd_pcm_sw_params_set_stop_threshold(snd_pcm_t *, snd_pcm_sw_params_t *, snd_pcm_uframes_t);
int snd_pcm_sw_params_set_avail_min(snd_pcm_t *, snd_pcm_sw_params_t *, snd_pcm_uframes_t);
int snd_pcm_sw_params(snd_pcm_t *, snd_pcm_sw_params_t *);

int snd_device_name_hint(int, const char *, void ***);
char *snd_device_name_get_hint(const void *, const char *);
int snd_device_name_free_hint(void **);
void free(void *);
"""  # noqa: E501


class Library(NamedTuple):
    """libasound and the interface to its types."""

    ffi: Any
    lib: Any


class AlsaError(AudioError):
    """A call of libasound that failed."""

    def __init__(self, code: int, what: str) -> None:
        """`code` is what the call returned, a negative error number; `what` was tried."""
        self.code = code
        super().__init__(f"{what}: {message(code)}")


@functools.cache
def load(soname: str = SONAME) -> Library:
    """Return libasound. Raises: AudioError where it, or cffi, is not installed."""
    try:
        import cffi
    except ImportError as error:
        raise AudioError(f"cffi is not installed ({error}): pip install cffi") from None
    ffi = cffi.FFI()
    ffi.cdef(_DECLARATIONS)
    try:
        return Library(ffi, ffi.dlopen(soname))
    except OSError as error:
        raise AudioError(f"ALSA's library is not installed ({error}): {REMEDY}") from None


def is_installed() -> bool:
    """Return whether libasound can be used."""
    try:
        load()
    except AudioError:
        return False
    return True


def preload() -> None:
    """Load libasound and its configuration, so that a device opens faster; failures are ignored."""
    try:
        load().lib.snd_config_update()
    except AudioError:
        return


def message(code: int) -> str:
    """Return libasound's text for what a call returned."""
    ffi, lib = load()
    return str(ffi.string(lib.snd_strerror(code)).decode("utf-8", "replace"))


def checked(code: int, what: str) -> int:
    """Return what a call returned. Raises: AlsaError where that is negative."""
    if code < 0:
        raise AlsaError(code, what)
    return code
