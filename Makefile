# Everything on a fresh machine with Python 3.11+, make and git. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test check fmt docs bench model soak dist audit lock

help: ## Say what the targets do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with all that the project needs

$(STAMP): requirements.lock toril/pyproject.toml insightdesk/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name it: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e ./toril -e ./insightdesk
	@touch $@

run: setup ## Run the helpdesk with its own servers and a demo
	@exec $(BIN)/insightdesk dev

# Processes that share the tests, which mostly wait for servers.
TESTERS ?= 3
test: setup check ## Check the code and run all tests but those that need Node or a browser
	$(BIN)/python -m pytest -n $(TESTERS) -m "not node and not browser" toril/tests insightdesk/tests tests/docs

check: setup ## Lint, format, types, imports one way, pages in their places
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/docs/test_pages.py

fmt: setup ## Format the code and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## Build the site of the documents into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: setup ## Measure toril beside its peers (ARGS=--quick: minutes; else most of an hour)
	$(BIN)/python -m benchmarks $(ARGS)

MINUTES ?= 20
model: setup ## Compare the engine with its reference model, MINUTES=20 long
	PYTHONPATH=toril/tests $(BIN)/python -m model --minutes $(MINUTES)

SEED ?=
soak: MINUTES = 30
soak: setup ## Load and random faults on real processes, MINUTES=30 long, SEED=…
	PYTHONPATH=toril/tests $(BIN)/python -m soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

dist: setup ## Build wheels and source distributions of both, and check their metadata
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist toril
	$(BIN)/python -m build --no-isolation --outdir dist insightdesk
	$(BIN)/twine check --strict dist/*

audit: ## Look for known weaknesses of the pinned dependencies (asks PyPI, so it is no part of CI)
	test -x .venv/audit/bin/pip-audit || { $(PYTHON) -m venv .venv/audit && .venv/audit/bin/pip install --quiet pip-audit; }
	.venv/audit/bin/pip-audit --no-deps --disable-pip --requirement requirements.lock

lock: ## Write requirements.lock anew (needs uv)
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
		--quiet --output-file requirements.lock requirements-dev.in requirements-project.in
