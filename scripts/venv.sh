# Sourced by ./run, ./train and ./test: makes .venv in the repository's root and keeps it current.
#
#   make_venv ROOT EXTRAS    EXTRAS is "", "[train]" or "[test]"
#
# Quick when nothing has changed: a stamp holds the checksum of pyproject.toml, the Python that
# made the environment, and the extras that are installed.

complain() {
    printf 'nemod: %s\n' "$*" >&2
    exit 1
}

find_python() {
    for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$name" ] || continue
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

make_venv() {
    root=$1
    extras=$2
    venv=$root/.venv
    stamp=$venv/.nemod-installed
    want="$(cksum <"$root/pyproject.toml")"
    if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && grep -qxF "$want $extras" "$stamp"; then
        return 0
    fi
    if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        python=$(find_python) ||
            complain "Python 3.11 or newer is needed and was not found; install it, or set PYTHON to its path"
        printf 'nemod: making %s (once)\n' "$venv" >&2
        rm -rf "$venv"
        "$python" -m venv "$venv" ||
            complain "no virtual environment could be made; on Debian: apt install python3-venv, then run this again"
    fi
    printf 'nemod: installing what is missing (the first time takes a minute or two)\n' >&2
    "$venv/bin/python" -m pip install --disable-pip-version-check -e "$root$extras" >&2 ||
        complain "the installation failed (pip says why above); check the network and the disk, then run this again"
    # An environment for tests serves for playing too.
    { [ -z "$extras" ] || printf '%s %s\n' "$want" ""; printf '%s %s\n' "$want" "$extras"; } >"$stamp"
}
