# The one door. Each target sets up what it needs, once; a second run needs no network.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3 || echo python3)
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# -- set-up --------------------------------------------------------------------------------------------------------------

# Debian keeps ensurepip in a package of its own.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Dragoman needs Python 3.11 or newer; set PYTHON=…"; exit 1; }
	@if ! $(PYTHON) -m venv $(VENV) >/dev/null 2>&1; then \
	  rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing python3-venv …"; apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; \
	  fi; \
	  $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module does not work here; on Debian: apt install python3-venv"; exit 1; }; \
	fi

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Dragoman into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@if ! $(BIN)/python -c 'import xllamacpp' 2>/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing libgomp1, which the embedded model needs …"; apt-get update -qq && apt-get install -y -qq libgomp1 >/dev/null; \
	fi
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what checks and tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: lock
lock: $(VENV)/.installed-dev ## Pin every dependency anew
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(LOCK) pyproject.toml --extra all --group build -o requirements.lock
	$(LOCK) pyproject.toml --extra all --group build --group dev -o requirements-dev.lock

# -- the product ---------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.installed ## Show the main job in this terminal, with the real model
	@$(BIN)/dragoman demo

.PHONY: wheel
wheel: $(VENV)/.installed-dev ## Build the Python package into dist/
	@$(BIN)/python -m hatchling build -t wheel

.PHONY: vsix
vsix: $(VENV)/.installed-dev ## Build the VS Code extension
	@$(BIN)/python -m tests.support.tools vsix

# -- quality -------------------------------------------------------------------------------------------------------------

.PHONY: check
check: $(VENV)/.installed-dev ## Lint, format, types, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -c "from tests.support import tools as t; t.npm_ci(t.CLIENT); t.npm('run', 'check', cwd=t.CLIENT)"

.PHONY: test
test: $(VENV)/.installed-dev ## Run every test, real editors and the real model included
	@echo "Getting the editors and the model that the tests drive (once) …"
	@$(BIN)/python -m tests.support.tools || [ -z "$$CI" ]
	@DRAGOMAN_DATA_DIR=$(CURDIR)/.cache/dragoman $(BIN)/dragoman models pull || [ -z "$$CI" ]
	@$(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder

BENCHES := startup burst keystroke workspaces life cancel memory calls next_edit acceptance silence context_recall completion_quality repository_growth redaction resilience agent_steps

.PHONY: bench
bench: $(VENV)/.installed-dev ## Run every measurement in turn, an hour with the real model; bench-NAME runs one, bench-report updates the README
	@failed=; for name in $(BENCHES); do echo "-- $$name"; $(BIN)/python -m tests.bench.$$name || failed="$$failed $$name"; done; \
	  [ -z "$$failed" ] || { echo "These did not end well:$$failed"; exit 1; }

.PHONY: tasks
tasks: $(VENV)/.installed-dev ## Make every task of the harness with a perfect and a broken model; ARGS="--model NAME" with yours
ifeq ($(ARGS),)
	@$(BIN)/python -m tests.tasks --scripted oracle
	@$(BIN)/python -m tests.tasks --scripted broken
else
	@$(BIN)/python -m tests.tasks $(ARGS)
endif

bench-%: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.bench.$*
