# Two commands are all a newcomer needs: make run, make test. Each installs what it needs, once.
.PHONY: run test check fix bench seed-million lock links clean
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps --only-binary :all:
PORT ?= 8000
MAIL_PORT ?= 2525
SIZE ?= 10000
export PORT MAIL_PORT

run: $(VENV)/run.stamp node_modules/.stamp ## everything on this machine; Ctrl-C stops it
	@$(BIN)/python manage.py up

test: $(VENV)/dev.stamp node_modules/.stamp ## the whole suite on its own throw-away PostgreSQL
	@env -u DATABASE_URL -u CARILLON_HOME -u CARILLON_TEST_DATABASE $(BIN)/python -m pytest -q -n 2 $(ARGS)

check: $(VENV)/dev.stamp node_modules/.stamp ## lint, types, import order, migrations
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary .
	@$(BIN)/lint-imports --no-logo >$(VENV)/imports.log 2>&1 || { cat $(VENV)/imports.log; exit 1; }
	@CARILLON_LOCAL_RUN=1 CARILLON_HOME=$(VENV)/check $(BIN)/python -W ignore manage.py makemigrations --check --dry-run

fix: $(VENV)/dev.stamp ## what the linter can mend itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/dev.stamp node_modules/.stamp ## make bench BENCH=name SIZE=n runs bench/<name>.py
	@test -f "bench/$(BENCH).py" || { echo "Choose one: make bench BENCH=name SIZE=n, with name of: $$(ls bench | sed -n 's/\.py$$//p' | grep -v '^_' | tr '\n' ' ')"; exit 1; }
	@env -u DATABASE_URL -u CARILLON_HOME CARILLON_EAGER_TASKS=0 DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m bench.$(BENCH) $(SIZE)

seed-million: SIZE = 1000000
seed-million: $(VENV)/run.stamp ## fill an empty database with SIZE made-up people and a year of campaigns
	@$(BIN)/python -m bench.million $(SIZE)

links: ## fresh sign-in links for the run that is going on
	@CARILLON_LOCAL_RUN=1 CARILLON_PUBLIC_URL=http://localhost:$(PORT) $(BIN)/python manage.py sign_in_links

lock: ## pin anew what requirements/*.in and package.json ask for
	@command -v uv >/dev/null || { echo "make lock needs uv."; exit 1; }
	@cd requirements && for name in run dev node; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" --upgrade $$name.in -o $$name.txt || exit 1; done
	@npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## forget what was installed; the data in var/ stays
	rm -rf $(VENV) node_modules staticfiles

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Carillon needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing). Name another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. Install it (Debian, Ubuntu: apt-get install python3-venv) and try again."; exit 1; }
	@test "$$(df -Pk . | awk 'NR==2 {print $$4}')" -gt 1500000 || { \
	  echo "Less than 1.5 GB of disk space left here; free some and try again."; exit 1; }
	@echo "Making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements/run.txt | $(VENV)/python.stamp
	@echo "Installing what Carillon runs on …"
	@$(PIP) -r requirements/run.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt | $(VENV)/run.stamp
	@echo "Installing what its tests need …"
	@$(PIP) --no-binary dkimpy -r requirements/dev.txt
	@touch $@

# The machine's npm, else the one in requirements/node.txt.
node_modules/.stamp: package-lock.json | $(VENV)/python.stamp
	@echo "Installing the front-end libraries …"
	@if command -v npm >/dev/null && npm --version >/dev/null 2>&1; then npm=npm; else \
	  $(PIP) -r requirements/node.txt && npm=$(BIN)/npm; fi; \
	PATH="$(CURDIR)/$(BIN):$$PATH" $$npm ci --no-audit --no-fund --loglevel=error </dev/null
	@touch $@
