# Sourced by ./run, ./train and ./test: creates the Python environment and keeps it current.
#
#   make_venv ROOT EXTRA [VERSIONS]    sets `venv`, the folder of the environment
#
# EXTRA is "", "train" or "test"; each includes the ones before it. VERSIONS names a file of
# constraints/ (default: the one of the Python that is used). Two variables change the defaults:
#
#   PYTHON        the Python to use, a name or a path
#   NEMOD_VENV    the folder of the environment, instead of .venv
#
# A stamp in the environment says what it was made from. It is written last, so an environment
# whose creation was interrupted is never used.

complain() {
    printf 'nemod: %s\n' "$*" >&2
    exit 1
}

report() {
    printf 'nemod: %s\n' "$*" >&2
}

# Prints the path of the Python that a name stands for, outside any environment; fails if it is
# older than 3.11 or does not start.
base_python() {
    "$1" -Ic 'import sys
sys.version_info >= (3, 11) or sys.exit(1)
print(sys._base_executable)' 2>/dev/null
}

# Prints what an environment depends on: it is useless under another Python or processor.
identity() {
    "$1" -ISc 'import os, sys
print(sys.implementation.cache_tag + sys.abiflags, os.uname().machine, os.path.realpath(sys.base_prefix))' 2>/dev/null
}

# Prints the file with the tested versions for a Python (3.13t is not 3.13).
versions_for() {
    if [ -n "$versions" ]; then
        printf '%s\n' "$root/constraints/$versions.txt"
    else
        "$1" -ISc 'import sys
print(sys.argv[1] + "/constraints/%d.%d%s.txt" % (*sys.version_info[:2], sys.abiflags))' "$root"
    fi
}

# Prints the Python to use: PYTHON, or the first on the PATH that has tested versions, or any.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        base_python "$PYTHON" || complain "PYTHON is '$PYTHON', which is not Python 3.11 or newer"
        return
    fi
    any=
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        found=$(base_python "$name") || continue
        any=${any:-$found}
        if [ -f "$(versions_for "$found")" ]; then
            any=$found
            break
        fi
    done
    [ -n "$any" ] || complain "Python 3.11 or newer was not found; install it, or set PYTHON to its path"
    printf '%s\n' "$any"
}

# Sets `work` to nothing, update, move or create, and `why` to the reason where one must be given.
assess() {
    work=create why=
    had_root='' had_folder='' had_python='' had_inputs='' had_extra=''
    [ -f "$stamp" ] || return 0
    while IFS= read -r line; do
        case $line in
        "root "*) had_root=${line#root } ;;
        "folder "*) had_folder=${line#folder } ;;
        "python "*) had_python=${line#python } ;;
        "inputs "*) had_inputs=${line#inputs } ;;
        "extra "*) had_extra=${line#extra } ;;
        esac
    done <"$stamp"
    [ -n "$had_python" ] || return 0
    if ! now=$(identity "$venv/bin/python"); then
        why="its Python ($had_python) was removed"
        return
    fi
    if [ "$now" != "$had_python" ]; then
        why="its Python was upgraded ($had_python is now $now)"
        return
    fi
    if [ -n "${PYTHON:-}" ]; then
        python=$(find_python)
        if [ "$(identity "$python")" != "$now" ]; then
            why="PYTHON is $PYTHON"
            return
        fi
    fi
    if [ "$had_root $had_folder" != "$root $venv" ]; then
        work=move why="the folder was moved"
    elif [ "$had_inputs" != "$(inputs)" ] || [ ! -x "$venv/bin/nemod" ] || ! includes "$had_extra" "$extra"; then
        work=update
    else
        work=nothing
    fi
}

# Prints the checksums of the files that the installed packages follow from.
inputs() {
    file=$(versions_for "$venv/bin/python")
    printf '%s, ' "$(cksum <"$root/pyproject.toml")"
    if [ -f "$file" ]; then cksum <"$file"; else echo "newest versions"; fi
}

# Succeeds if the packages of one extra include those of another.
includes() {
    case "$1 $2" in
    *" " | "train train" | "test train" | "test test") return 0 ;;
    esac
    return 1
}

# Waits until no other process works on this environment. The lock is on the folder that holds the
# environment and ends with this process; where the file system has no locks, there is none.
lock() {
    exec 9<"$(dirname -- "$venv")"
    "$1" -ISc 'import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("nemod: waiting for another installation to finish", file=sys.stderr, flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError:
    pass'
}

# Deletes what an unfinished or useless environment holds. The stamp stays until the rest is gone: it
# tells the next start, should this one be interrupted, that the folder is ours.
clear_venv() {
    find "$venv" -mindepth 1 ! -name .nemod-installed -delete
}

discard() {
    clear_venv || :
    rm -rf -- "$venv"
}

create() {
    # A folder that is not an environment is not ours to delete, unless it is empty.
    if [ -d "$venv" ] && [ ! -f "$stamp" ] && [ ! -f "$venv/pyvenv.cfg" ] && ! rmdir -- "$venv" 2>/dev/null; then
        complain "$venv is not a Python environment; move it away, or set NEMOD_VENV to another folder"
    fi
    report "creating $venv with $python${why:+, because $why}"
    { mkdir -p -- "$venv" && echo unfinished >"$stamp" && clear_venv; } ||
        complain "$venv cannot be created; set NEMOD_VENV to a folder in which you may write"
    "$python" -I -m venv "$venv" >&2 9<&- && return
    discard
    [ -z "$stopped" ] || exit "$stopped"
    "$python" -Ic 'import ensurepip, venv' 2>/dev/null ||
        complain "$python cannot create environments; on Debian, Ubuntu and Raspberry Pi OS: sudo apt install python3-venv, then run this again"
    complain "$venv could not be created (reason above)"
}

# Installs the package from this folder, with what the extra needs, in the tested versions. Build
# tools are installed first and used from there: then a later repair needs no network.
install() {
    file=$(versions_for "$venv/bin/python")
    if [ ! -f "$file" ]; then
        [ -z "$versions" ] || complain "$file is missing"
        report "no tested versions for this Python; installing the newest ones"
        file=/dev/null
    fi
    tools=$("$venv/bin/python" -ISc 'import sys, tomllib
print(*tomllib.load(open(sys.argv[1], "rb"))["build-system"]["requires"], sep="\n")' "$root/pyproject.toml") || return
    (
        cd -- "$root" || exit
        pip() {
            "$venv/bin/python" -I -m pip --disable-pip-version-check --no-input install --no-user -c "$file" "$@" >&2 9<&-
        }
        # One argument a line.
        IFS='
'
        # shellcheck disable=SC2086 # several words are meant
        if [ -n "$tools" ]; then pip -q $tools || exit; fi
        pip --no-build-isolation -e ".${extra:+[$extra]}"
    )
}

# Names what is installed.
installed() {
    ls -- "$venv"/lib/python*/site-packages
}

make_venv() {
    root=$1 extra=$2 versions=${3:-}
    folder=${NEMOD_VENV:-$root/.venv}
    venv=$(readlink -f -- "$folder") || complain "the folder that should hold $folder does not exist"
    stamp=$venv/.nemod-installed
    assess
    [ "$work" != nothing ] || return 0

    case $work in
    create) python=$(find_python) ;;
    *) python=$venv/bin/python ;;
    esac
    lock "$python"
    assess # again: another process may have done it
    if [ "$work" = nothing ]; then
        exec 9<&-
        return 0
    fi
    ! includes "$had_extra" "$extra" || extra=$had_extra

    # A signal ends the step that runs, and then this script, once it has cleaned up.
    stopped=
    trap 'stopped=129' HUP
    trap 'stopped=130' INT
    trap 'stopped=143' TERM
    previous=
    if [ "$work" != create ]; then
        previous=$(cat -- "$stamp")
        before=$(installed)
        echo unfinished >"$stamp" || complain "$venv is out of date and cannot be written; set NEMOD_VENV to a folder in which you may write"
    fi
    if [ "$work" = move ]; then
        report "repairing $venv, because $why"
        "$venv/bin/python" -I "$root/scripts/relocate.py" "$had_folder" "$venv" || work=create
        previous=
    fi
    if [ "$work" = create ]; then
        python=$(find_python)
        create
    fi
    report "installing what is missing (the first time takes a minute or two)"
    if [ -n "$stopped" ] || ! install || [ -n "$stopped" ]; then
        if [ "$work" = create ]; then
            discard
        elif [ -n "$previous" ] && [ "$before" = "$(installed)" ]; then
            printf '%s\n' "$previous" >"$stamp" # nothing has changed: it works as before
        fi
        [ -z "$stopped" ] || exit "$stopped"
        complain "the installation failed (reason above); check the network and the disk, then run this again"
    fi
    printf '%s\n' "root $root" "folder $venv" "python $(identity "$venv/bin/python")" "inputs $(inputs)" "extra $extra" >"$stamp.new"
    mv -f -- "$stamp.new" "$stamp"
    trap - HUP INT TERM
    exec 9<&-
}
