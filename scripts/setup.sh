#!/bin/sh
# Make .venv from the lock, with a Python that is chosen by running it; nothing where nothing changed.
set -eu
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never

python=""
for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3; do
    # A shim that fails is no Python.
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
        python=$("$candidate" -c 'import sys; print(sys.executable)')
        break
    fi
done
if [ -z "$python" ]; then
    echo "No Python 3.11 to 3.14 was found. Install one, or set PYTHON to its path." >&2
    exit 1
fi

stamp=$("$python" -c 'import hashlib, sys
content = b"".join(open(name, "rb").read() for name in ("requirements.lock", "pyproject.toml"))
print(sys.version_info[:3], hashlib.sha256(content).hexdigest())')
if [ "$(cat .venv/jobchurn.stamp 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    if [ ! -x .uv/bin/uv ]; then
        echo "Getting uv …"
        "$python" -m venv .uv
        .uv/bin/python -m pip install --quiet "uv>=0.9"
    fi
    uv=.uv/bin/uv
fi

echo "Installing into .venv with $python (some 1 GB at the first time) …"
"$uv" venv --quiet --clear --python "$python" .venv
"$uv" pip install --python .venv/bin/python --require-hashes -r requirements.lock
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
printf '%s' "$stamp" > .venv/jobchurn.stamp
