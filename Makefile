# Needs Python 3.11+ and make. `make help` lists what there is.
#
# Everything goes through `.venv/bin/python -m …`, never through generated scripts, and every path is
# relative: a checkout may be moved, and its path may contain spaces.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
UV_VERSION := 0.13.9
PYTHON ?=
ARGS ?=

PHASES := structure dependencies unit integration business performance
PHASE ?= $(PHASES)
# Processes that share the tests; 0 runs them in one, in order. Each one more takes ten to twenty seconds to begin.
JOBS ?= 4

.PHONY: help run test check format bench bench-availability bench-overload bench-memory bench-console screenshots fast lock clean install dev

help: ## this list
	@echo 'AI Model Orchestra Controller. Targets:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-19s %s\n", $$1, $$2}' Makefile
	@echo 'Test phases: $(PHASES)'
	@echo 'Variables: PYTHON=<a Python 3.11 or newer>, PHASE="unit integration", JOBS=<test processes>, ARGS="<arguments of the program>"'

run: install ## install what is needed, then open the console (ARGS="serve --demo" runs a command instead)
	@exec $(PY) -m orchestra_core $(ARGS)

test: dev ## install what tests need, then test; PHASE="unit integration" chooses phases
	@unknown='$(strip $(filter-out $(PHASES),$(PHASE)))'; \
	if [ -n "$$unknown" ] || [ -z '$(strip $(PHASE))' ]; then \
	  echo "make test: unknown phase: $${unknown:-(none named)}. Phases: $(PHASES)" >&2; exit 2; \
	fi; \
	set --; for phase in $(PHASE); do \
	  if [ -n "$$(find "tests/$$phase" -name 'test_*.py' 2>/dev/null | head -n 1)" ]; then set -- "$$@" "tests/$$phase"; \
	  else echo "make test: phase $$phase has no tests" >&2; fi; \
	done; \
	if [ $$# -eq 0 ]; then echo 'make test: nothing to test' >&2; exit 2; fi; \
	exec $(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder "$$@" $(ARGS)

check: dev ## format, lint, strict types, import contracts
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

format: dev ## rewrite the sources in the agreed format
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

bench: dev ## measure this engine and others against one stub backend (takes minutes)
	@exec $(PY) -m benchmarks $(ARGS)

bench-availability: dev ## complete answers under faults, beside simpler clients (takes 20 minutes; ARGS=--quick)
	@exec $(PY) -m benchmarks.availability $(ARGS)

bench-overload: dev ## goodput at up to ten times capacity (takes 5 minutes; ARGS=--quick)
	@exec $(PY) -m benchmarks.overload $(ARGS)

bench-memory: dev ## swapping more models than there is memory for, simulated (takes 10 minutes; ARGS=--quick)
	@exec $(PY) -m benchmarks.memory $(ARGS)

bench-console: dev ## the console at a terminal: bytes, CPU, holds, keys, memory (takes 20 minutes; ARGS=--quick)
	@exec $(PY) -m benchmarks.console $(ARGS)

fast: dev ## compile the hot path for this environment: less CPU a request (needs a C compiler; takes minutes)
	@exec $(PY) -m compiled $(ARGS)

screenshots: dev ## renew the pictures in screenshots/ from a running demo engine (takes two minutes)
	@ORCHESTRA_SCREENSHOTS=screenshots ORCHESTRA_SCREENSHOT_SECONDS=60 \
	  $(PY) -m pytest -q tests/integration/tui/test_screenshots.py $(ARGS)

install: $(VENV)/.run ## the environment with the embedded model, from locks/run.txt

dev: $(VENV)/.dev ## the same and what development needs, from locks/dev.txt

lock: $(VENV)/.created ## resolve the newest versions that fit and rewrite locks/
	@$(PIP) install --quiet 'uv==$(UV_VERSION)'
	$(LOCK) --upgrade --extra embedded --group build --output-file locks/run.txt
	$(LOCK) --upgrade --extra embedded --group dev --constraint locks/run.txt --output-file locks/dev.txt

LOCK := $(PY) -m uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
  --no-config --no-header --no-annotate --no-emit-index-url --no-emit-find-links

clean: ## remove the environment and every cache; the engine's own data stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps. A stamp is written last, so an interrupted step is done again.

$(VENV)/.created:
	@set -e; \
	fits() { command -v "$$1" >/dev/null 2>&1 && "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }; \
	found=; \
	if [ -n '$(PYTHON)' ]; then \
	  if fits '$(PYTHON)'; then found='$(PYTHON)'; fi; \
	else \
	  for candidate in python3 python3.13 python3.12 python3.11 python; do \
	    if fits "$$candidate"; then found=$$candidate; break; fi; \
	  done; \
	fi; \
	if [ -z "$$found" ]; then \
	  echo 'This needs Python 3.11 or newer; found: '"$$('$(or $(PYTHON),python3)' --version 2>&1 || true)". >&2; \
	  echo 'Install one, or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)' >&2; \
	  exit 1; \
	fi; \
	echo "Creating $(VENV) with $$("$$found" --version 2>&1)"; \
	"$$found" -m venv --clear $(VENV) || { \
	  echo "$$found cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
	touch $@

INPUTS := pyproject.toml orchestra_core/__init__.py
# pip shows its progress bars only when it is not quiet. Not `$$([ -t 1 ] …)`: in there the output is never a terminal.
LOCKED = quiet=--quiet; [ ! -t 1 ] || quiet=; $(PIP) install $$quiet --require-hashes --requirement
# The build backend comes with either lock, so nothing is resolved or fetched for the project itself.
PROJECT = $(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
GEMMA = echo 'The embedded model is Gemma 3 270M: the Gemma terms of use apply to it (https://ai.google.dev/gemma/terms).'

$(VENV)/.run: locks/run.txt $(INPUTS) | $(VENV)/.created
	@echo 'Installing the locked dependencies; the first time that is about 300 MB.'
	@$(GEMMA)
	@$(LOCKED) locks/run.txt
	@$(PROJECT)
	@touch $@

$(VENV)/.dev: locks/dev.txt $(INPUTS) | $(VENV)/.created
	@echo 'Installing the locked dependencies and what tests need; the first time that is about 350 MB.'
	@$(GEMMA)
	@$(LOCKED) locks/dev.txt
	@$(PROJECT)
	@touch $@ $(VENV)/.run
