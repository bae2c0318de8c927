# make rehearse and make test set up all they need; as root on Debian 12 they require only make and git.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
BESIDE := $(MAKE) --no-print-directory --jobs=2 --output-sync=target

.PHONY: help setup rehearse rehearse-down test test-unit test-wire test-flows test-quick test-lab test-faults test-offline test-night \
	test-browser bench bench-fan-out bench-campaign lint fmt lock offline install-service

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(READY)  ## the virtual environment, from the lock file, hashes checked

# The lock is also the constraint: Debian 12's pip (23.0) does not apply a pin to the same package requested with extras.
$(READY): requirements.lock pyproject.toml
	@python3 -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -qy python3 python3-venv; } || \
	    { echo 'Python 3.11 with venv is needed: apt-get install python3 python3-venv'; exit 1; }
	@echo "setting up $(VENV) (a minute or two)"
	@test -x $(PY) || python3 -m venv $(VENV)
	@$(PY) -m pip install --quiet --require-hashes --requirement requirements.lock --constraint requirements.lock
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

rehearse: $(READY)  ## the whole migration on a fresh lab; watch it in Prefect's UI
	@$(PY) -m deployments.rehearse

rehearse-down: $(READY)  ## stop the rehearsal's Prefect server and lab
	@$(PY) -m deployments.orchestrator down
	@$(VENV)/bin/lab down

# Workers read each other's bytecode, also where a shell says that none is to be written.
test-unit test-wire test-flows: export PYTHONDONTWRITEBYTECODE :=

test: lint test-quick test-lab  ## everything that CI runs

test-unit: $(READY)  ## steps, parsers and models on fakes: seconds, no daemon
	@$(PY) -m pytest -q --numprocesses=auto --maxprocesses=8 --dist=worksteal tests/unit

test-wire: $(READY)  ## connections, processes and deadlines for real, on this machine's loopback: seconds, no daemon
	@$(PY) -m pytest -q --numprocesses=auto --maxprocesses=8 --dist=worksteal tests/wire

test-flows: $(READY)  ## order and engine semantics, in Prefect itself: a minute, no daemon
	@$(PY) -m pytest -q tests/flows

test-quick: $(READY)  # all three, two at a time
	@$(BESIDE) test-unit test-flows test-wire

test-lab: $(READY)  ## a whole migration on the lab, and the proof that nothing was lost; odd sshds
	@$(PY) -m pytest -q tests/lab
	@$(PY) -m pytest -q tests/ssh

test-faults: $(READY)  ## two hours: the migration killed at every moment of every act
	@$(PY) -m pytest -q -s tests/faults

test-offline: $(READY)  ## the archive, built, and installed without a network; downloads its wheels
	@$(PY) -m pytest -q tests/offline

# Its packages are locked by themselves: who moves a platform needs no browser.
test-browser: $(READY)  ## as root: an operator's night in Prefect's UI, by Debian's Chromium, on the lab; PICTURES=docs renews screenshots
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -qy --no-install-recommends chromium fonts-noto-cjk; }
	@$(PY) -m pip install --quiet --require-hashes --requirement tests/browser/requirements.lock
	@$(PY) -m pytest -q tests/browser

test-night: test-offline test-faults test-browser  ## what is too slow for every change

bench: $(READY)  ## as root: by hand and migrate in turns on fresh labs; half an hour a table, the second one with WEIGHT=field
	@$(PY) -m tests.bench.migration $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WEIGHT),--weight $(WEIGHT))

bench-fan-out: $(READY)  ## as root: what it costs to ask up to 500 machines, beside Ansible and pyinfra, which it installs in a cache
	@$(PY) -m tests.bench.fan_out $(if $(HOSTS),--hosts $(HOSTS)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-campaign: $(READY)  ## what a campaign of up to a hundred dry runs costs, on platforms that are made up; no daemon
	@$(PY) -m tests.bench.campaign $(if $(PLATFORMS),--platforms $(PLATFORMS)) $(if $(AT_ONCE),--at-once $(AT_ONCE))

lint: $(READY)  ## ruff, mypy --strict on product code, the layers, ShellCheck on files and on what steps send
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-cache > .lint-imports.log 2>&1 || { cat .lint-imports.log; exit 1; }; rm -f .lint-imports.log
	@$(PY) -m tests.shellcheck

offline: $(READY)  ## one archive for networks that reach no package index: wheels, the project, install.sh
	@$(PY) -m deployments.offline.build

install-service: $(READY)  ## as root: Prefect's server and worker as services of systemd
	@$(PY) -m deployments.service $(if $(DESTDIR),--destdir '$(DESTDIR)')

fmt: $(READY)  ## sort imports and fix what ruff can
	@$(VENV)/bin/ruff check --fix .

lock: $(READY)  ## resolve the dependencies again
	@$(PY) -m pip install --quiet uv
	@$(VENV)/bin/uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header --upgrade \
	    --python-version 3.11 --universal --quiet --output-file requirements.lock
	@$(VENV)/bin/uv pip compile tests/browser/requirements.in --constraint requirements.lock --generate-hashes --no-emit-index-url \
	    --no-header --upgrade --python-version 3.11 --universal --quiet --output-file tests/browser/requirements.lock
