# What a newcomer types. Every target makes the environment it needs, in .venv, and nothing outside the clone.

PYTHON ?= python3
VENV   ?= .venv
PYTEST_ARGS ?=
# Tests that start processes wait more than they compute.
TEST_WORKERS ?= 2
SIMULATE_ARGS ?=
CHAOS_ARGS ?=
CONFORMANCE_ARGS ?=
BENCH_ARGS ?=

PY  := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --prefer-binary --constraint constraints.txt

# Two steps of one environment: the first is enough to run the system, the second to work on it.
RUN := $(VENV)/.ready-to-run
DEV := $(VENV)/.ready-to-develop

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-api cluster-binaries check format proto proto-image simulate chaos conformance bench dist clean

help: ## Show what there is to type.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN) ## Start it on throw-away data and run a small CI pipeline over these sources.
	@$(PY) examples/01-ci-pipeline/pipeline.py

test: $(DEV) ## Run every test.
	@$(PY) -m pytest --numprocesses $(TEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

test-api: $(DEV) ## Run the integration tests against a real kube-apiserver; needs Go, and minutes the first time.
	@$(PY) -m tests.cluster.lane --numprocesses $(TEST_WORKERS) --dist loadfile tests/integration $(PYTEST_ARGS)

cluster-binaries: $(DEV) ## Build the programs of that real cluster into the user's cache.
	@$(PY) -m tests.cluster.binaries

check: $(DEV) ## Run every gate: format, lint, types, imports, protocol, stubs, tree.
	@$(PY) -m tests.gates

format: $(DEV) ## Put Python and proto files into the one format.
	@$(VENV)/bin/ruff format --quiet .
	@$(VENV)/bin/ruff check --quiet --fix .
	@$(VENV)/bin/buf format --write proto

proto: $(DEV) ## Generate the Python stubs anew from proto/.
	@$(PY) -m tests.gates.stubs --write

proto-image: $(DEV) ## Make today's protocol the one that later changes are judged by; needs a CHANGELOG line.
	@$(PY) -m tests.gates.breaking --write

simulate: $(DEV) ## Run 2,000 seeded histories of the real rules on a model of the cluster.
	@$(PY) -m tests.simulation $(SIMULATE_ARGS)

chaos: $(DEV) ## Kill, stop and pause real processes under load; count what was lost.
	@$(PY) -m tests.chaos $(CHAOS_ARGS)

conformance: $(DEV) ## Judge bash, python and fake by the protocol's suite, and the suite by broken servers.
	@$(PY) -m tests.conformance $(CONFORMANCE_ARGS)

bench: $(DEV) ## Measure it beside a bare client that makes the same writes; API=real: on a real kube-apiserver.
	@$(PY) -m $(if $(filter real,$(API)),tests.cluster.lane --module )tests.perf $(BENCH_ARGS)

dist: $(DEV) ## Build the wheel and the source archive into dist/.
	@$(PY) -m hatchling build

clean: ## Remove what make made.
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "kruntimes needs Python 3.11 or newer, and '$(PYTHON)' is not." >&2; \
	  echo "Name one that is, for example: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml constraints.txt | $(PY)
	@echo "installing what the system needs to run"
	@$(PIP) --editable '.[demo]'
	@touch $@

$(DEV): $(RUN)
	@echo "installing what tests and gates need"
	@$(PIP) --editable '.[dev]'
	@touch $@
