# Every target sets itself up: Python 3.11 or newer and the package registries are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
POOLER := $(VENV)/pgbouncer
# An f-string of an Output is an error, not a warning text in somebody's resource.
export PULUMI_ERROR_OUTPUT_STRING := 1
# A virtual environment of another project must not leak in.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

.PHONY: demo test check e2e faults moves native kills bench docs pooler clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/python -m examples.demo

test: $(READY)
	$(BIN)/pytest -n auto -m "not e2e and not native and not kills and not live"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

e2e: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile -m e2e

faults: $(READY)
	TENANTRY_FAULTS_STEP=1 $(BIN)/pytest -n 2 -m e2e tests/dynamic_providers/timeweb/test_fault_matrix.py

# The real plugins of three vendors on the Pulumi CLI, where they are on PATH: minutes, most of them the plugins' own waits.
native: $(READY)
	$(BIN)/pytest -n 2 -m native

# A run killed at every request and at every write, and put in order: half an hour.
kills: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile -m kills

# A grown tenant through all plans under load, killed in every phase: minutes.
moves: $(READY)
	TENANTRY_MOVES=1 $(BIN)/pytest -s -m e2e tests/e2e/test_grown_moves.py

# Parts of it: make bench ONLY=catalogue,cells; other fleets: make bench ONLY=cells SIZES=100,1000,10000.
bench: $(READY)
	$(BIN)/python -m examples.bench

# The reference is written from the models, the commands and the tables of the code.
docs: $(READY)
	$(BIN)/python -m docs.generate

# A real PgBouncer for the tests of pooling, unpacked beside the virtual environment and installed nowhere; without one
# those tests are skipped. Needs Debian's apt with its lists of packages.
pooler: $(POOLER)/usr/sbin/pgbouncer

$(POOLER)/usr/sbin/pgbouncer: $(READY)
	mkdir -p $(POOLER)/packages/partial
	apt-get install -qq --yes --download-only --reinstall --no-install-recommends \
		-o Debug::NoLocking=1 -o Dir::Cache::archives=$(abspath $(POOLER))/packages pgbouncer
	for package in $(POOLER)/packages/*.deb; do dpkg -x "$$package" $(POOLER); done
	rm -r $(POOLER)/packages

clean:
	rm -rf $(VENV)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tenantry needs Python 3.11 or newer: name one with 'make PYTHON=python3.11'" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $(READY)
