# Every command of the project; `make help` lists them. Each one installs what it needs first.
VENV ?= .venv
WORLD ?= default
ARGS ?=
BIN := $(VENV)/bin
CODE := $(wildcard function_app.py functions shared sandbox tests bench infra)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

.DEFAULT_GOAL := help
.PHONY: help setup demo tour sandbox portal screenshots test test-clients lint docs format bench lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.stamp node_modules/.stamp ## Install the Python and Node packages, pinned and hashed

$(VENV)/.stamp: requirements-dev.txt .ci/find-python
	@python=$$(.ci/find-python) && echo "Installing into $(VENV) with $$python" && "$$python" -m venv $(VENV)
	@$(PIP) install --require-hashes --only-binary=:all: -r requirements-dev.txt
	@touch $@

node_modules/.stamp: package.json package-lock.json | $(VENV)/.stamp
	@echo "Installing node_modules"
	@$(BIN)/npm ci --ignore-scripts --loglevel=error
	@touch $@

portal/node_modules/.stamp: portal/package.json portal/package-lock.json | $(VENV)/.stamp
	@echo "Installing portal/node_modules"
	@$(BIN)/npm ci --prefix portal --ignore-scripts --loglevel=error
	@touch $@

# The portal's types are made of the API's own document, so that the two cannot drift apart.
portal/src/api/schema.d.ts: $(wildcard function_app.py functions/*.py shared/*.py shared/*/*.py) portal/node_modules/.stamp
	@$(BIN)/python -c "import json, functions; print(json.dumps(functions.whole().openapi()))" > portal/openapi.json
	@$(BIN)/npm run --silent --prefix portal types > /dev/null

portal/dist/index.html: portal/src/api/schema.d.ts portal/index.html portal/vite.config.ts $(shell find portal/src portal/public -type f 2>/dev/null)
	@$(BIN)/npm run --silent --prefix portal build

portal: setup portal/dist/index.html ## Build the portal into portal/dist

screenshots: portal ## Write a picture of every page of the portal, light and dark, desktop and phone, into .run/screenshots
	@$(BIN)/python -m sandbox.screenshots $(ARGS)

demo: portal ## Run the whole system on this machine (WORLD=empty: nothing connected yet; WORLD=outage; WORLD=actions; ARGS="--port-base 18400" moves the ports)
	@exec $(BIN)/python -m sandbox.up --world $(WORLD) $(ARGS)

tour: setup ## Walk through the main job on the running demo (in a second terminal)
	@exec $(BIN)/python -m sandbox.tour $(ARGS)

sandbox: setup ## Run Azurite and the Microsoft cloud only, for `func start` beside it
	@exec $(BIN)/python -m sandbox.up --only-sandbox --world $(WORLD) $(ARGS)

test: portal ## Run the tests, with coverage (ARGS="tests/unit -k name" narrows them)
	$(BIN)/pytest --numprocesses 2 --dist worksteal --cov --cov-report=term-missing:skip-covered $(ARGS)

test-clients: setup ## Drive the sandbox with the unmodified Azure CLI and Cloud Custodian
	tests/clients/run.sh $(ARGS)

lint: $(VENV)/.stamp portal/src/api/schema.d.ts ## Check style, types, import rules and the documentation's links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	@$(BIN)/npm run --silent --prefix portal check
	@$(SITE)

docs: $(VENV)/.stamp ## Build the documentation as a site into .run/site; a broken link is an error (make lint builds it too)
	@$(SITE) && echo "Open .run/site/index.html (search needs a server: $(BIN)/python -m http.server --directory .run/site)"

format: $(VENV)/.stamp portal/node_modules/.stamp ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	@$(BIN)/npm run --silent --prefix portal format

bench: portal ## Measure cold start, poll cycles, noise, seconds from an event to its ticket, deliveries, 1,000 restarts with kills and a list of 100,000 devices (ARGS=latency: one part); writes JSON
	$(BIN)/python -m bench $(ARGS)

# checkov asks for older packages than the rest, so it has an environment of its own.
.venv-checkov/.stamp: infra/requirements-checkov.txt | $(VENV)/.stamp
	@echo "Installing .venv-checkov"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-checkov
	@$(BIN)/uv pip install --quiet --python .venv-checkov/bin/python --require-hashes -r infra/requirements-checkov.txt
	@touch $@

.PHONY: lint-infra
lint-infra: .venv-checkov/.stamp ## Check the Bicep files with checkov, without any download (make lint does too)
	@.venv-checkov/bin/python infra/lint.py

lint: lint-infra

lock: $(VENV)/.stamp ## Pin the newest allowed packages anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --upgrade requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --upgrade -c requirements.txt requirements.in requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --upgrade infra/requirements-checkov.in -o infra/requirements-checkov.txt
	$(BIN)/npm install --package-lock-only --ignore-scripts --loglevel=error
	$(BIN)/npm update --prefix portal --package-lock-only --ignore-scripts --loglevel=error

clean: ## Remove everything that was installed or made
	rm -rf .venv .venv-* node_modules portal/node_modules portal/dist portal/openapi.json portal/src/api/schema.d.ts .run .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* local.settings.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
