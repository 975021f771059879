# Two commands do everything on a fresh machine: `make run` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

EVENTS ?= 200
CYCLES ?= 3
PORT ?= 3000
TESTS ?=
LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help run up test soak lint bench audit lock clean

help: ## List the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY) ## Run CYCLES=3 cycles through Dagster on the simulator with EVENTS=200 events
	@$(BIN)/odds-pipeline run --cycles $(CYCLES) --events $(EVENTS)

up: $(READY) ## Start the database, the simulator, the Dagster UI on PORT=3000 and the daemon
	@$(BIN)/odds-pipeline up --port $(PORT)

test: $(READY) ## Run the test suite (TESTS="path -k words" narrows it)
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(TESTS)

soak: $(READY) ## Run the tests that take many minutes
	@$(BIN)/python -m pytest -m soak $(TESTS)

lint: $(READY) ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright

bench: $(READY) ## Measure speed and size (ratios to a floor of the same run)
	@$(BIN)/python -m benchmarks

audit: $(READY) ## Ask for known vulnerabilities of the pinned dependencies (needs the network; fails when it cannot know)
	@test -x $(VENV)/audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit; }
	@$(VENV)/audit/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.txt

lock: ## Resolve pyproject.toml anew into requirements.txt, with hashes and no index address
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile $(LOCKED) --extra dev pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile $(LOCKED) benchmarks/requirements-peers.in -o benchmarks/requirements-peers.txt

clean: ## Remove the virtual environment and caches (never the data)
	@rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
