# Everything sets itself up: `make demo`, `make test`. PYTHON=python3.12 picks another interpreter (3.11-3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The demo's run folder, and the two faces of the test split that it morphs.
DEMO ?= runs/demo
START ?= 53
END ?= 17
# Processes of `make test`; each holds TensorFlow and the models that it has made, some gigabytes.
WORKERS ?= 2

.PHONY: demo test test-all test-long check format clean

$(INSTALLED): setup.py constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "facezoo needs Python 3.11 to 3.13: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(INSTALLED)
	$(BIN)/facezoo demo --run_dir=$(DEMO) --start=test:$(START) --end=test:$(END)

PYTEST := $(BIN)/pytest -n $(WORKERS) --dist=loadfile --durations=25 -m 'not long'

test: $(INSTALLED)
	$(PYTEST) --ignore=tests/processes --ignore=tests/long

# With processes, browsers and notebooks.
test-all: $(INSTALLED)
	$(PYTEST)

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
