# Weedwatch's commands. `make` alone prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
TORCH ?=
PY := .venv/bin/python
COMPILE := .tools/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate
export UV_CUSTOM_COMPILE_COMMAND := make lock

.DEFAULT_GOAL := help
.PHONY: help setup run observe stop test check audit coverage lock archive train-demo bench images fetch secrets up alerts down deploy rollback pin prove prove-spine prove-core prove-rooms prove-models prove-doors prove-observability prove-stack clean

help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Install what is missing into .venv and ui/vendor (TORCH=cpu: the light torch build)
	@$(PYTHON) setup_environment.py $(if $(TORCH),--torch $(TORCH)) $(if $(filter file,$(origin PYTHON)),--fastest)

run: setup ## Start everything on this machine and print a prediction (Ctrl-C stops it)
	@exec $(PY) -m standalone run

observe: setup ## The same with Prometheus and Alertmanager, and links to both
	@exec $(PY) -m standalone run --observe

stop: ## Stop what `make run` started
	@if [ -x $(PY) ]; then exec $(PY) -m standalone stop; else echo "Nothing runs."; fi

archive: setup ## Build the model archive (MODEL, VERSION; or MODEL_PATH and LABELS_PATH)
	@exec $(PY) -m handlers.archive

train-demo: setup ## Train the demo model again from drawn pictures (minutes)
	@exec $(PY) -m training.demo

check: setup ## Formatting, lint, types and the fast tests
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@$(PY) -m pytest -q -n 3 --dist worksteal $(COVERAGE) tests/unit tests/structure

audit: setup ## Look for weak code, vulnerable packages and secrets
	@$(PY) -m tests.audit

test: ## Everything: check, then the tests against the real components, then the coverage
	@rm -f .coverage*
	@$(MAKE) check COVERAGE='--cov --cov-report='
	@$(PY) -m pytest --cov --cov-append --cov-report=term:skip-covered tests/integration tests/acceptance

coverage: setup ## What the last `make test` ran through, as pages in htmlcov/
	@.venv/bin/coverage html -q && echo "htmlcov/index.html"

bench: setup ## Measure against TorchServe, LitServe and a bare loop (ten minutes; QUICK=1: two)
	@exec $(PY) -m benchmarks $(if $(QUICK),--quick)

prove: prove-spine prove-core prove-rooms prove-models prove-doors prove-observability prove-stack ## Run every proof

prove-spine: setup ## Prove the spine (LINE=3 for one line, SHARE=1 for full counts)
	@exec $(PY) -m tests.proofs.spine

prove-core: setup ## Prove the core (LINE=1 for one line, CASE=F04 for one fault, SHARE=1 for full counts)
	@exec $(PY) -m tests.proofs.core

prove-rooms: setup ## Prove the web pages in a real browser (LINE=1 for one line)
	@exec $(PY) -m tests.proofs.rooms

prove-models: setup ## Prove that models change without loss (LINE=1 for one line)
	@exec $(PY) -m tests.proofs.models

prove-doors: setup ## Prove that nobody gets in where they do not belong (LINE=1 for one line)
	@exec $(PY) -m tests.proofs.doors

prove-observability: setup ## Prove that what goes wrong is seen (LINE=1 for one line, CASE=DatabaseDown for one alert)
	@exec $(PY) -m tests.proofs.observability

prove-stack: setup ## Prove what is shipped, on a Docker engine (LINE=4 for one line)
	@exec $(PY) -m tests.proofs.shipped

secrets: ## Make the secrets of the stack that are missing, in deploy/secrets
	@exec $(PYTHON) -m deploy secrets

up: ## Start the stack by Docker Compose: secrets, images, and a prediction through the edge
	@exec $(PYTHON) -m deploy up

alerts: ## Tell the stack's alerts to the channels in .env, with links to this stack
	@exec $(PYTHON) -m deploy alerts

down: ## Stop the stack; its data stays (`docker compose down -v` removes that too)
	@exec docker compose --profile '*' down

deploy: ## Change the control plane to the images of TAG, without a failed request
	@exec $(PYTHON) -m deploy update $(TAG)

rollback: ## Go back to the images before the last `make deploy`
	@exec $(PYTHON) -m deploy rollback

pin: ## Write the digests of other people's images into .env, where a registry can be reached
	@exec $(PYTHON) -m deploy pin

images: ## Build the images (TAG=latest, TORCH=cpu|cuda|wheels:FOLDER, IMAGE=edge for one, GCS=1 for gs://)
	@exec $(PYTHON) -m deploy images $(IMAGE) $(if $(TAG),--tag $(TAG)) $(if $(TORCH),--torch $(TORCH))

fetch: ## Get the images of TAG: from WEEDWATCH_REGISTRY, else built here
	@exec $(PYTHON) -m deploy fetch $(TAG)

lock: setup ## Resolve the requirement locks again
	@$(COMPILE) --group pyproject.toml:dev -o requirements/base.lock
	@$(COMPILE) -c requirements/base.lock -o requirements/torch.lock requirements/torch.in
	@$(COMPILE) -c requirements/base.lock --group pyproject.toml:control-plane-image -o requirements/control-plane.lock
	@$(COMPILE) -c requirements/control-plane.lock -c requirements/base.lock --group pyproject.toml:gcs -o requirements/gcs.lock
	@$(COMPILE) -c requirements/base.lock -c requirements/torch.lock --group pyproject.toml:torchserve -o requirements/torchserve.lock
	@$(COMPILE) -c requirements/base.lock --no-deps --group pyproject.toml:postgresql -o requirements/backup.lock
	@# torch is taken from the environment: an override that never applies leaves it and all below it out.
	@$(COMPILE) -c requirements/base.lock --override <(printf "%s ; python_version < '3'\n" torch torchvision) -o requirements/benchmark.lock requirements/benchmark.in
	@! grep -n '://' requirements/*.lock

clean: ## Remove the environment, built archives and all local state
	@rm -rf .venv .tools .weedwatch ui/vendor ui/node_modules tests/issuer/node_modules tests/logql/node_modules model_store/*.mar .mypy_cache .ruff_cache .pytest_cache .coverage htmlcov
