# One place for every command. Needs: make, python3 >= 3.11 with its venv module. Nothing else is assumed.
# A virtual environment that is there already is used as it is; make never deletes it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUNTIME := $(VENV)/.trabecula-runtime
TESTING := $(VENV)/.trabecula-testing
LOCKING := build/locking

.PHONY: help demo test bench lint format schema lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    a node that a simulated hospital feeds, to look at"
	@echo "make test    everything that must hold: style, types, contracts between packages, tests"
	@echo "make lint    the first three of these alone"
	@echo "make format  put the source into its form"
	@echo "make bench   measure"
	@echo "make schema  write docs/schema anew from the models"
	@echo "make lock    resolve requirements/*.txt anew from pyproject.toml"
	@echo "make clean   remove what was built; $(VENV) stays"

demo: $(RUNTIME)
	@$(BIN)/trabecula demo

# The tests run even if the checks before them failed, so that one run tells everything; pytest has the last line.
test: $(TESTING)
	@$(MAKE) --no-print-directory --keep-going lint; checks=$$?; \
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(PYTEST_ARGS); tests=$$?; \
	test $$checks -eq 0 && exit $$tests; exit 1

bench: $(TESTING)
	@$(BIN)/python benchmarks/run.py

.PHONY: lint-rules lint-form lint-types lint-imports
lint: lint-rules lint-form lint-types lint-imports

lint-rules: $(TESTING)
	@$(BIN)/ruff check .

lint-form: $(TESTING)
	@$(BIN)/ruff format --check .

lint-types: $(TESTING)
	@$(BIN)/mypy

lint-imports: $(TESTING)
	@$(BIN)/lint-imports --no-logo

format: $(TESTING)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schema: $(RUNTIME)
	@$(BIN)/python -m streams.schema_documents docs/schema

# ---- the environment: hashed requirements, then the project itself; the stamps make the second run quick

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Trabecula needs Python 3.11 or newer, and '$(PYTHON)' is not that." >&2; \
	  echo "Debian, Ubuntu: apt-get install python3 python3-venv. Another one: make PYTHON=/path/to/python3.12 ..." >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "The venv module of '$(PYTHON)' is missing." >&2; \
	  echo "Debian, Ubuntu: apt-get install python3-venv (for another Python: python3.12-venv and the like)." >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements/lock.txt pyproject.toml | $(BIN)/python
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(VENV) was made with a Python older than 3.11; remove it and run make again." >&2; exit 1; }
	$(PIP) install --require-hashes --requirement requirements/lock.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(TESTING): requirements/test.txt $(RUNTIME)
	$(PIP) install --require-hashes --requirement requirements/test.txt
	@touch $@

# ---- the locks (docs/decisions/0003)

COMPILE = $(LOCKING)/bin/pip-compile --quiet --generate-hashes --allow-unsafe --no-strip-extras --no-annotate \
  --no-header --no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --upgrade

$(LOCKING)/bin/pip-compile: | $(BIN)/python
	$(BIN)/python -m venv $(LOCKING)
	$(LOCKING)/bin/python -m pip --disable-pip-version-check --quiet install pip-tools==7.6.2

lock: $(LOCKING)/bin/pip-compile
	$(BIN)/python requirements/inputs.py build > build/lock.in
	$(COMPILE) --output-file requirements/lock.txt build/lock.in
	$(BIN)/python requirements/inputs.py build test > build/test.in
	$(COMPILE) --constraint requirements/lock.txt --output-file requirements/test.txt build/test.in

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
