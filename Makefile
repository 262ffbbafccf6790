# `make app` serves the app, `make test` checks everything once, `make test-all` in all its rounds
# (tests/helpers/rounds.py); the first run sets up .venv.

PYTHON ?= python3
ARGS ?=
# Test processes: one more than two cores, which would idle while tests wait for servers.
WORKERS ?= 3
BIN := .venv/bin
APP_READY := .venv/.ready-app
DEV_READY := .venv/.ready-dev

.PHONY: setup app test test-all lint assets

setup: $(APP_READY)

$(APP_READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or later is needed: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install torch==2.13.0
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

$(DEV_READY): $(APP_READY) pyproject.toml
	$(BIN)/python -m pip install -e '.[dev]'
	@touch $@

app: $(APP_READY)
	$(BIN)/python -m streamlit run app.py

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/plain_english.py

test: lint
	@.ci/browser $(BIN)
	@.ci/prism
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-all: export ALL_ROUNDS = 1
test-all: test

assets: $(DEV_READY)
	$(BIN)/python -m twotower assets
	$(BIN)/python -m twotower calibrate --split 0
	$(BIN)/python -m twotower evaluate --check calibration --split 0 --band assets
	$(BIN)/python -m twotower evaluate --out assets/quality.json
	$(BIN)/python -m twotower evaluate --add --out assets/quality.json --check groups --check sides
	$(BIN)/python -m twotower evaluate --add --out assets/quality.json --split 0 \
		--check unseen --check discover --check coverage
	$(BIN)/python -m twotower ablate --out assets/ablation.json
	$(BIN)/python -m twotower learning-curve --out assets/learning.json
	$(BIN)/python -m twotower card
