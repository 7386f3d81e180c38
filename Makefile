# Two commands do everything: `make run` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: run test test-all lint bench validation gallery setup clean

run: setup
	$(BIN)/eesim run scenarios/ee_resnet18_camera.yaml -o results/camera

test: setup
	$(BIN)/python -m pytest -n logical --dist loadfile

test-all: setup
	$(BIN)/python -m pytest -n logical --dist loadfile -m ""

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python benchmarks/engines.py

# Rewrites the tables of docs/validation.md from the measurements of the board; with CALIBRATION=FILE, what `eesim calibrate
# --json` printed, also those of held-out errors.
MEASUREMENTS ?= ../shared/measurements
validation: setup
	$(BIN)/python benchmarks/validation.py $(MEASUREMENTS) $(if $(CALIBRATION),--calibration $(CALIBRATION))

# Answers the questions of docs/gallery.md again, with its own commands (two minutes).
gallery: setup
	$(BIN)/python benchmarks/gallery.py

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "eesim needs Python 3.11 or later; '$(PYTHON)' is older. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

# Rewrites the lock file from pyproject.toml (needs uv).
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-emit-index-url --no-header -o requirements.lock

clean:
	rm -rf $(VENV) results build dist .pytest_cache .mypy_cache .ruff_cache
