# Two commands do everything on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# The first that runs and is new enough; a shim that finds nothing behind it is passed over.
FIT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for one in python3 python3.11 python3.12 python3.13 python3.14; do \
  $$one -c '$(FIT)' 2>/dev/null && { echo $$one; break; }; done)
DEMO ?=
BENCH ?=
SOAK ?=
# Journeys wait more than they work: both halves of a small machine are used.
AT_ONCE := --numprocesses auto --maxprocesses 4

.PHONY: help demo test e2e lint format bench soak wheel clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.runs ## Run everything on this machine; DEMO="--fast" for lives of seconds
	@$(BIN)/messenger-bff demo $(DEMO)

test: $(VENV)/.tests ## Install what the tests need, then run them all
	$(BIN)/python -m pytest $(AT_ONCE) --cov --cov-report=term $(ARGS)

e2e: $(VENV)/.tests ## Only the journeys in real browsers
	$(BIN)/python -m pytest $(AT_ONCE) e2e $(ARGS)

lint: $(VENV)/.tests ## Style, types, floors, the script's types and size
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd tests/plugin && npx --no-install tsc --project tsconfig.json
	cd tests/plugin && npx --no-install tsc --project tsconfig.uses.json && node declare.mjs --check
	cd tests/plugin && node size.mjs

format: $(VENV)/.tests ## Bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.tests ## Frames for each CPU second beside the Node peer, then records; BENCH=--quick
	@$(BIN)/python benchmarks/frames_per_cpu.py $(BENCH)
	@PYTHONPATH=tests/rigs $(BIN)/python benchmarks/on_postgres.py

soak: $(VENV)/.tests ## A day of five tabs and every trouble, in minutes; SOAK="--hours 8 --seed 7 --browser firefox"
	@PYTHONPATH=tests/rigs:e2e $(BIN)/python e2e/soak_run.py $(SOAK)

wheel: $(VENV)/.tests ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove what was built and installed here
	rm -rf $(VENV) dist build e2e/artifacts tests/*/node_modules benchmarks/node_modules

$(VENV)/.made:
	@$(or $(PYTHON),false) -c '$(FIT)' 2>/dev/null \
	  || { echo "Python 3.11 or later is needed. Install it, or say where it is: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runs: $(VENV)/.made pyproject.toml
	@echo "Installing messenger-bff into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.tests: $(VENV)/.made pyproject.toml tests/rigs/package-lock.json tests/plugin/package-lock.json benchmarks/package-lock.json .ci/install-test-parts
	@echo "Installing messenger-bff with everything for its tests into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@.ci/install-test-parts
	@touch $@ $(VENV)/.runs
