# Two targets are all that a fresh machine needs: `make demo` and `make test`.
VENV := .venv
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
    command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && { echo $$p; break; }; done)
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet

.PHONY: help demo test tools format docs lock bench clean
.DEFAULT_GOAL := help

help: ## these lines
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.runs ## two scripted deployments on the sandbox, apps and API watched and judged, in under a minute
	@$(VENV)/bin/cf-harness demo

test: $(VENV)/.tests ## everything that CI checks
	@$(VENV)/bin/tox run -qq

tools: $(VENV)/.runs $(VENV)/.tests ## cf-harness and tox in .venv/bin, and nothing is run

format: $(VENV)/.tests ## mend what ruff can mend
	@test -x .tox/lint/bin/ruff || $(VENV)/bin/tox run -q -e lint --notest
	@.tox/lint/bin/ruff check --fix -q .; .tox/lint/bin/ruff format .

docs: $(VENV)/.runs ## write docs/plan.md and docs/api-faults.md anew, from the code
	@$(VENV)/bin/python docs/generate_plan.py
	@PYTHONPATH=. $(VENV)/bin/python docs/generate_api_faults.py

lock: ## write requirements/*.txt anew
	@scripts/lock

bench: $(VENV)/.bench ## every measurement in bench/, one after the other (an hour)
	@scripts/bench

clean: ## remove what the targets made
	rm -rf $(VENV) .tox .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "cf-harness needs Python 3.11 or newer: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "venv is missing: apt-get install python3-venv"; exit 1; }

$(VENV)/.runs: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing what cf-harness needs into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --require-hashes -r requirements/build.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.tests: requirements/tox.txt | $(VENV)/bin/python
	@$(PIP) --require-hashes -r requirements/tox.txt
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.runs
	@$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@
