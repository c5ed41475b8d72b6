# Everything sets itself up: `make demo`, `make test`. PYTHON=python3.12 picks another interpreter (3.11-3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The demo's run folder, and the two faces of the test split that it morphs.
DEMO ?= runs/demo
START ?= 53
END ?= 17
# Stages of the tests that run side by side, each a process of up to three gigabytes; and arguments of pytest,
# as in `make test ARGS='-k morph -x'`.
WORKERS ?= 2
ARGS ?=

.PHONY: demo test test-all test-long check format clean

$(INSTALLED): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "facezoo needs Python 3.11 to 3.13: make PYTHON=python3.12")'
	@echo 'Installing TensorFlow and all else into $(VENV): 4 GB, some minutes without a word ...'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/facezoo demo --run_dir=$(DEMO) --start=test:$(START) --end=test:$(END)

test: $(INSTALLED)
	$(BIN)/python tests/stages.py --workers=$(WORKERS) $(ARGS)

# With processes, browsers and notebooks.
test-all: $(INSTALLED)
	$(BIN)/python tests/stages.py --workers=$(WORKERS) --processes $(ARGS)

test-long: $(INSTALLED)
	$(BIN)/pytest -m long

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/nbstripout --verify notebooks/*.ipynb
	$(MAKE) test-all

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info
