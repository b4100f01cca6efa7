# Thin: each target is one command.
.PHONY: help setup run test check lock stop reset
PY = .venv/bin

help:           ## Show the targets
	@grep -E '^[a-z]+: .*##' Makefile | sed 's/:.*##/:/'

setup:          ## Make .venv with jobchurn in it
	@sh scripts/setup.sh

run: setup      ## Start everything on this machine
	@$(PY)/jobchurn up

test: setup     ## Run the tests (no browser, no root needed)
	@OMP_NUM_THREADS=1 $(PY)/python -m pytest -q --ignore=tests/e2e

check: setup    ## Lint and type-check
	@$(PY)/ruff check . && $(PY)/ruff format --check . && $(PY)/mypy src

stop: setup     ## Stop what runs here
	@$(PY)/jobchurn down

reset: setup    ## Remove all run-time state
	@$(PY)/jobchurn reset

lock: setup     ## Resolve both lock files anew
	@sh scripts/lock.sh
