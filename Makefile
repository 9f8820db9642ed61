# Every word a person or CI needs. Bare `make` prints them.
.DEFAULT_GOAL := help
.PHONY: help run first-order check format contract dashboards pictures test faults simulate attacks soak mutations bench audit up down logs lock clean
PYTHON ?= python3
MINUTES ?= 10
SEEDS ?= 1000
# Tests wait more than they compute: two files of them at a time, the long ones first. A process that needs a lab has
# its own.
AT_ONCE := --numprocesses 2 --dist loadfile --no-loadscope-reorder
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes
COMPOSE := docker compose --file docker/compose.yaml $(if $(PROFILE),--env-file docker/$(PROFILE).env)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links

help:  ## Print what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/run  ## Run the whole service on an embedded database and log, with nothing but Python
	@exec $(BIN)/orders-service run

first-order: $(VENV)/run  ## Place an order against the running service and follow it to its end
	@exec $(BIN)/orders-service first-order

check: $(VENV)/dev  ## Format, lint, types, layers, fast tests: what every commit passes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not real" $(AT_ONCE) $(TESTS)

format: $(VENV)/dev  ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

contract: $(VENV)/dev  ## Write the documented contract: OpenAPI, AsyncAPI, JSON Schemas, docs/http.md
	@$(BIN)/python -m rig.documents

dashboards: $(VENV)/dev  ## Write the dashboards for Grafana
	@$(BIN)/python -m rig.dashboards

pictures: $(VENV)/dev  ## Take the README's pictures of the page (needs Chromium)
	@$(BIN)/python -m rig.pictures

test: $(VENV)/dev  ## Run every test, those on a real MariaDB and a real Kafka among them
	$(BIN)/pytest -m "not faults" $(AT_ONCE)

faults: $(VENV)/dev  ## Kill, freeze and cut every part of it under load, and judge what is left
	$(BIN)/pytest -m faults --timeout 300

simulate: $(VENV)/dev  ## Simulate SEEDS histories with faults, or the SEED of one with its story
	@$(BIN)/python -m rig.simulation $(if $(SEED),--seed $(SEED),$(if $(SECONDS),--seconds $(SECONDS),--seeds $(SEEDS))) \
	  $(if $(FIRST),--first $(FIRST)) $(if $(STEPS),--steps $(STEPS)) $(if $(WITHOUT),--without $(WITHOUT))

attacks: $(VENV)/dev  ## Attack the API beside a hundred good clients, directly and through HAProxy (5 minutes)
	$(BIN)/python -m tests.attacks

audit: $(VENV)/dev  ## Look for known vulnerabilities in everything that the locks name
	@$(BIN)/python .ci/audit.py requirements*.lock docker/trial/tools.lock

soak: $(VENV)/dev  ## Break one thing after the other for MINUTES, under 300 orders a second, perhaps on a CLUSTER
	$(BIN)/python -m tests.faults.soak $(MINUTES) $(if $(CLUSTER),--cluster)

mutations: $(VENV)/dev  ## Take each mechanism out of a copy, and see which test notices
	$(BIN)/python -m tests.faults.mutations

bench: $(VENV)/bench  ## Measure what it costs, side by side with what you could pick instead (needs wrk)
	@$(BIN)/python -m bench

up:  ## Deploy with Docker Compose, perhaps with a PROFILE such as observability (docker/README.md)
	docker/make-secrets
	$(COMPOSE) up --build --wait || { echo 'It is not up. docker/README.md, "When it does not come up", says what to do' >&2; exit 1; }
	@echo "Look at http://$$($(COMPOSE) port gateway 8001)/ui"
	@echo "The API answers at http://$$($(COMPOSE) port gateway 8000)"
	@$(COMPOSE) exec -T api sh -c 'if [ "$$AUTH_MODE" = none ]; then \
	  echo "With \`AUTH_MODE=none\` anybody who can reach the API can read and cancel anybody'"'"'s orders."; \
	  else echo "Clients need a token. docker/README.md says how to get one"; fi'
ifeq ($(PROFILE),observability)
	@echo "Dashboards  http://$$($(COMPOSE) port grafana 3000)"
	@echo "Numbers     http://$$($(COMPOSE) port prometheus 9090)"
	@echo "Alerts      http://$$($(COMPOSE) port alertmanager 9093)"
	@echo "Traces      http://$$($(COMPOSE) port jaeger 16686)"
endif

down:  ## Take the deployment down; the data stays
	$(COMPOSE) --profile '*' down

logs:  ## Follow the deployment's logs
	$(COMPOSE) logs --follow

lock: $(VENV)/dev  ## Renew the five lock files
	$(LOCK) --extra build pyproject.toml -o requirements.lock
	$(LOCK) --extra build --extra dev --extra otel -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(LOCK) --extra otel -c requirements.lock -c requirements-dev.lock pyproject.toml -o requirements-otel.lock
	$(LOCK) --extra lab -c requirements.lock pyproject.toml -o requirements-lab.lock
	$(LOCK) --extra lab --extra bench -c requirements.lock -c requirements-lab.lock pyproject.toml -o requirements-bench.lock

clean:  ## Remove the environment and the state, unless something still runs from them
	@$(PYTHON) -I lab/clean.py
	rm -rf .venv .venv-* var

$(VENV):
	@echo "Making the environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name one: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run: requirements.lock pyproject.toml | $(VENV)
	@echo "Installing what the service needs (requirements.lock)"
	@$(PIP) -r requirements.lock
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements-dev.lock requirements-lab.lock $(VENV)/run
	@echo "Installing what the tests and the lab need (requirements-dev.lock, requirements-lab.lock)"
	@$(PIP) -r requirements-dev.lock -r requirements-lab.lock
	@touch $@

$(VENV)/bench: requirements-bench.lock $(VENV)/dev
	@echo "Installing what the bench compares with (requirements-bench.lock)"
	@$(PIP) -r requirements-bench.lock
	@touch $@
