#!/bin/sh
# Resolve both lock files anew: everything, and the API alone.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .uv/bin/uv)
"$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --all-extras --no-header pyproject.toml -o requirements.lock
"$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements-api.lock
