#!/bin/sh
# Makes .venv with jobchurn in it, from the lock file; does nothing where all is as it should be.
#
#   PYTHON  the Python to use; else the first of python3.13, 3.12, 3.11, 3.14 and python3 that runs
#   UV      the uv to use; else the one on the PATH, else one that pip puts into .uv
#
# Nothing but a Python 3.11 to 3.14 is needed. No Python is ever downloaded.
set -eu
cd "$(dirname "$0")/.."

export UV_PYTHON_DOWNLOADS=never
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH
venv=.venv/bin/python
stamp=.venv/installed

say() {
    echo "setup: $*" >&2
}

# The version of a Python, such as 3.13.0, where it runs and is one of ours; a shim may be neither.
version_of() {
    "$1" -c 'import sys
if (3, 11) <= sys.version_info[:2] <= (3, 14):
    print(*sys.version_info[:3], sep=".")' 2>/dev/null || true
}

choose_python() {
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3.14 python3; do
        if [ -n "$candidate" ] && [ -n "$(version_of "$candidate")" ]; then
            echo "$candidate"
            return
        elif [ -n "$candidate" ] && [ "$candidate" = "${PYTHON:-}" ]; then
            break
        fi
    done
    say "no Python 3.11 to 3.14 runs here${PYTHON:+ as PYTHON=$PYTHON}."
    say "Install one (on Debian: apt install python3 python3-venv), or set PYTHON to it."
    exit 1
}

# What .venv is made from, and where: an environment that was moved does not work.
wanted() {
    cat requirements.lock pyproject.toml scripts/setup.sh | sha256sum
    pwd
}

choose_uv() {
    if [ -n "${UV:-}" ]; then
        echo "$UV"
    elif [ -n "$(command -v uv)" ] && uv --version >/dev/null 2>&1; then
        echo uv
    else
        if ! .uv/bin/uv --version >/dev/null 2>&1; then
            say "putting uv into .uv (by pip)"
            if ! "$1" -m venv --clear .uv >&2; then
                say "this Python cannot make environments (on Debian: apt install python3-venv)."
                exit 1
            fi
            .uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9' >&2
        fi
        echo .uv/bin/uv
    fi
}

have=$(version_of $venv)
if [ -n "${PYTHON:-}" ] && [ -n "$have" ] && [ "$(version_of "$PYTHON")" != "$have" ]; then
    have=''
fi
if [ -n "$have" ] && [ "$(cat $stamp 2>/dev/null)" = "$(wanted)" ]; then
    exit 0
fi

python=$(choose_python)
uv=$(choose_uv "$python")
# A home that cannot be written to is no place for a cache.
cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
if [ -z "${UV_CACHE_DIR:-}" ] && ! mkdir -p "$cache" 2>/dev/null; then
    export UV_CACHE_DIR=.uv/cache
fi

if [ -z "$have" ] || [ "$(sed -n 2p $stamp 2>/dev/null)" != "$(pwd)" ]; then
    say "making .venv with Python $(version_of "$python")"
    rm -rf .venv
    "$uv" venv --quiet --python "$python" .venv
fi
rm -f $stamp
say "installing the locked packages (1 GB; seconds from a warm cache, minutes from the network)"
"$uv" pip install --python $venv --require-hashes -r requirements.lock
"$uv" pip install --quiet --python $venv --no-deps --no-build-isolation -e .
wanted >$stamp
say "ready: .venv/bin/jobchurn"
