# Everything runs inside .venv, which `make install` builds; nothing but Python is needed beforehand.
.DEFAULT_GOAL := help
.PHONY: help install demo up sandbox test test-slow test-distributed test-airflow test-hapi check bench docs locks

BIN := .venv/bin
STAMP := .venv/.installed
UV_VERSION := 0.13.9
# The oldest and the newest that pyproject.toml allows.
AIRFLOWS := 3.3.0 3.3.2
RESOLVE := $(BIN)/uv pip compile --quiet --no-header pyproject.toml
LOCK := $(RESOLVE) --universal --python-version 3.11

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(STAMP) ## Build .venv from the lock file; instant if nothing has changed

# Python is looked up under the names below; PYTHON=/path/to/python names another. uv installs the lock file six times
# as fast as pip; pip is the fallback because only pip reads a mirror configured in pip.conf.
$(STAMP): requirements-dev.txt pyproject.toml
	@set -e; \
	for python in $(PYTHON) python3 python3.11 python3.12 python3.13; do \
		"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && break; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make install PYTHON=/path/to/python" >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Creating .venv with $$("$$python" --version)"; \
		"$$python" -m venv --clear .venv || { echo "make: $$python cannot create environments; install its venv module (Debian: python3-venv)" >&2; exit 1; }; \
	fi
	@echo "Installing the locked packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements-dev.txt \
		|| $(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable . \
		|| $(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

demo: install ## Show everything once on an embedded FHIR server: data, training, screening, report
	@$(BIN)/wardround demo

up: install ## Keep it running: Airflow with its UI, the FHIR server, CDS Hooks, the stream, schedules on
	@exec $(BIN)/wardround up

sandbox: install ## Show the bedside door in a browser: a small EHR page, whose charts call it
	@exec $(BIN)/wardround ehr

# A worker that ends, as one does in which a test hangs, ends the run: another one would begin with the same test.
WORKERS := --numprocesses 2 --max-worker-restart 0
# What takes minutes on an idle machine may take half an hour on a busy one.
PATIENT := --timeout 1800 -o faulthandler_timeout=1740

# Each worker has its own Airflow database. The tests of a file run in the same worker and share their fixtures. Files
# keep their order: sorted by number of tests, a file with few but long tests would run last, with one worker idle.
test: install ## Run the tests; takes a quarter of an hour
	@$(BIN)/python -m pytest $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: install ## Run the slow tests: every kill, every hostile server, thousands of odd requests
	@$(BIN)/python -m pytest -m long $(WORKERS) $(PATIENT)

# STACK_SEED=n draws other rounds. The third that fails ends it: after a run that never ends, the next ones wait for it.
test-distributed: install ## Kill services of docker-compose.yaml in 20 screenings; takes half an hour
	@status=0; $(BIN)/python -m pytest -m distributed $(PATIENT) --maxfail 3 --verbose tests/stack || status=$$?; \
		cat var/stack/test_faults/recovery.md; exit $$status

# The newest has the packages of the lock; the oldest has the oldest of each that pyproject.toml names, for a platform may
# fix any version in between. Each environment takes half a gigabyte. Old packages use names that newer ones
# warn of, and a warning is an error in the tests: two are let pass, one of Airflow 3.3.0 and one of Starlette 1.0.1.
test-airflow: install ## Run the tests of the DAGs with the oldest and the newest Airflow and packages that are allowed
	@set -e; for version in $(AIRFLOWS); do \
		place=var/airflow-$$version; mkdir -p $$place; cp requirements-dev.txt $$place/lock.txt; \
		echo "apache-airflow==$$version" > $$place/wanted.txt; \
		if [ $$version = $(firstword $(AIRFLOWS)) ]; then \
			$(RESOLVE) --no-deps --resolution lowest-direct --output-file $$place/oldest.txt; \
			grep -v '^apache-airflow==' $$place/oldest.txt >> $$place/wanted.txt; \
		fi; \
		$(RESOLVE) --extra dev --constraint $$place/wanted.txt --output-file $$place/lock.txt; \
		$(BIN)/uv venv --quiet --clear --python $(BIN)/python $$place/environment; \
		$(BIN)/uv pip install --quiet --python $$place/environment/bin/python -r $$place/lock.txt; \
		$(BIN)/uv pip install --quiet --python $$place/environment/bin/python --no-deps --editable .; \
		echo "Airflow $$version"; $$place/environment/bin/python -m pytest $(WORKERS) --dist loadfile \
			-W "ignore:'HTTP_422_UNPROCESSABLE_ENTITY'" -W "ignore:The anyio.abc.BlockingPortal alias" tests/dags tests/airflow; \
	done

# What is compiled lies in var/hapi, the packages (300 MB) where Maven keeps them.
test-hapi: install ## Run the tests against HAPI FHIR's JPA server, on H2 and PostgreSQL; needs Java 17 and Maven
	@$(BIN)/python -m tests.hapi.launcher
	@$(BIN)/python -m pytest -m hapi $(PATIENT)

check: install ## Check style, types, layers and the links between documents, without the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: install ## Run the measurements of benchmarks/README.md
	@$(BIN)/python -m benchmarks

docs: install ## Build the documents into var/docs, and regenerate their generated parts
	@$(BIN)/python -m wardround.spec.schema include/schemas
	@$(BIN)/python docs/site/rooms.py
	@$(BIN)/python docs/site/decisions.py
	@$(BIN)/python docs/site/settings_tables.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "The documents are in var/docs; begin with index.html"

locks: $(STAMP) ## Update the lock files and the SBOM from pyproject.toml (UPGRADE=--upgrade for newer versions)
	$(LOCK) $(UPGRADE) --output-file requirements.txt
	$(LOCK) $(UPGRADE) --extra dev --constraint requirements.txt --output-file requirements-dev.txt
	$(LOCK) $(UPGRADE) --extra distributed --constraint requirements.txt --output-file requirements-distributed.txt
	@# The SBOM names no package index: which one is used is the choice of each installation.
	$(BIN)/uv run --quiet --no-project --with cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.txt \
		--pyproject pyproject.toml --short-PURLs --sv 1.6 --output-reproducible --output-file - \
		| $(BIN)/python -c 'import json, sys; bom = json.load(sys.stdin); [one.pop("externalReferences", None) for one in bom["components"] + bom["metadata"]["tools"]["components"]]; \
			json.dump(bom, sys.stdout, indent=1); print()' > sbom.cdx.json
