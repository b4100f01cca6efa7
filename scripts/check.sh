#!/bin/sh
# What `make check` does: everything that can be said about the code without running it whole, and
# the coverage of its core. All checks are made, and all that fail are named at the end.
set -u
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

# The core: judged by its own fast tests alone.
core='src/jobchurn/contract.py,src/jobchurn/errors.py,src/jobchurn/verdict.py'
core="$core,src/jobchurn/policy.py,src/jobchurn/quality*,src/jobchurn/model/*,src/jobchurn/drift/*"
core="$core,src/jobchurn/faults.py,src/jobchurn/report.py,src/jobchurn/synth/*,src/jobchurn/files/*"
core="$core,src/jobchurn/panels/*,src/jobchurn/grafana/*"

failed=''

check() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed
  $name: $*"
}

covered() {
    rm -f .coverage .coverage.*
    coverage run -m pytest -q tests/unit tests/one_truth || return
    coverage combine -q || return
    coverage report --fail-under=90 --include="$core"
}

check format ruff format --check
check lint ruff check
check types mypy
check directions lint-imports
check "dead code" vulture
check "Grafana's files" jobchurn dashboards check
if [ -f compose.yaml ]; then
    check compose check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
    check "compose lint" compose-lint compose.yaml
fi
if [ -f deploy/Dockerfile ]; then
    check Dockerfile hadolint deploy/Dockerfile
fi
check "coverage of the core" covered

if [ -n "$failed" ]; then
    echo "check: failed:$failed"
    exit 1
fi
echo "check: all is well"
