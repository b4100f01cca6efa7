# Thin: each target is one command. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench bench-quick bench-model torture audit sbom docs e2e stop reset lock

BIN := .venv/bin

JOBCHURN_CSV ?= ../shared/data/job.csv

# Two OpenMP threads on a busy small machine can be 30 times slower than one.
export OMP_NUM_THREADS := 1

# Containers set it to stay small; here each of many processes would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets.
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 14

setup: ## Make .venv with jobchurn in it.
	@scripts/setup.sh

run: setup ## Start everything on this machine; Ctrl-C stops it.
	@$(BIN)/jobchurn up

test: setup ## Run the tests (no browser, no root needed).
	$(BIN)/python -m pytest --ignore=tests/e2e

check: setup ## Lint, types, directions, dead code, coverage of the core, container files.
	@scripts/check.sh

bench: setup ## Measure every figure of benchmarks/results.md, under 40 minutes (needs wrk, h2load, psql, PyPI).
	$(BIN)/python -m benchmarks
	$(BIN)/python -m scripts.build_reference

bench-quick: setup ## Measure every figure in some 5 minutes, smaller and less exactly; keeps nothing.
	$(BIN)/python -m benchmarks --quick

bench-model: setup ## Measure model, built-in data and drift on a real data set, JOBCHURN_CSV; panels; slow.
	$(BIN)/python benchmarks/model_quality.py "$(JOBCHURN_CSV)"
	$(BIN)/python benchmarks/fidelity.py "$(JOBCHURN_CSV)"
	$(BIN)/python benchmarks/drift_alarms.py
	$(BIN)/python benchmarks/drift_alarms.py "$(JOBCHURN_CSV)"
	$(BIN)/python -m benchmarks.request_log
	$(BIN)/python -m benchmarks.panel_queries

torture: setup ## Kill, damage, starve and attack it at full length; slow.
	$(BIN)/python -m pytest -m torture tests/faults tests/security

audit: setup ## Ask whether anything that the locks hold has a known hole (needs the network).
	$(BIN)/python -m scripts.audit

sbom: setup ## Write the bills of materials into dist/sbom/.
	$(BIN)/python -m scripts.sbom

docs: setup ## Build the documentation into site/.
	$(BIN)/zensical build --clean --strict

e2e: setup ## Run the tests that drive a browser (needs Chromium).
	$(BIN)/python -m pytest tests/e2e

stop: ## Stop what `make run`, or `jobchurn up`, has started.
	@$(BIN)/jobchurn down

reset: ## Remove all run-time state: database, data, models, logs.
	@$(BIN)/jobchurn reset

lock: setup ## Resolve both lock files anew.
	@scripts/lock.sh
