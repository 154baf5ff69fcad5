# Everything runs in .venv, made from the locked versions. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST ?= $(BIN)/pytest
.DEFAULT_GOAL := help
.PHONY: help demo test lab lab-down lint lock bench peers clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.collector ## a province at work on this machine: collector, agent, page
	@exec $(BIN)/thongsuot-collector demo $(DEMO)

# Most of a test's time is spent waiting for real servers: two files at a time. PYTEST_ARGS="-n 0" takes one after another.
test: $(VENV)/.dev peers ## every test; PYTEST_ARGS="…" is passed on
	$(PYTEST) -n 2 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.dev ## formatter, linters, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: $(VENV)/.dev peers ## as root, a province of real routers to look at and to break; LAB="--communes 24 --districts 8" is passed on
	@exec $(BIN)/python -m tests.lab up $(LAB)

lab-down: ## end that province
	@$(BIN)/python -m tests.lab down

bench: bench-snmp bench-devices bench-agent bench-ingest bench-stamp bench-down ## all benches, beside their peers; bench-snmp and so on: one
bench-%: $(VENV)/.dev peers
	$(BIN)/python -m bench.$*

peers: ## as root, the Debian packages that tests and benches talk to
	@deploy/peers.sh

lock: $(VENV)/.dev ## renew the locked versions
	$(BIN)/python -m pip install --quiet uv
	for extra in collector probes dev; do \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	        --extra collector --extra $$extra pyproject.toml --output-file requirements-$$extra.lock || exit 1; \
	done

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

# Hashes make sure that what is installed is what was locked; our own package is then added without resolving anew.
$(VENV)/.%: requirements-%.lock pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

clean: ## forget the venv and what tools left behind
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
