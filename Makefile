# Everything sets itself up: `make demo`, `make test`. PYTHON=python3.12 picks another interpreter (3.11-3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The demo's run folder, and the two faces of the test split that it morphs.
DEMO ?= runs/demo
START ?= 1145
END ?= 1040
# Stages of the tests that run side by side, each a process of up to three gigabytes; and arguments of pytest,
# as in `make test ARGS='-k morph -x'`.
WORKERS ?= 2
ARGS ?=
# What `make docs` has MkDocs do.
DOCS ?= build

# What `make zoo FACES=FOLDER` trains on besides drawn faces: what is taken of each photograph (of CelebA's aligned ones at
# 89x109), VGG19's weights (a file, or imagenet), and the folder of the runs; the same command goes on where it stopped.
FACES ?=
CROP ?= 8,18,74,74
VGG19 ?= imagenet
ZOO ?= runs/zoo
SWEEP ?= experiments/recipes/zoo.toml
PAGE ?= docs/zoo.md

.PHONY: demo zoo exports test test-all test-long check format docs clean

$(INSTALLED): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "facezoo needs Python 3.11 to 3.13: make PYTHON=python3.12")'
	@echo 'Installing TensorFlow and all else into $(VENV): 4 GB, some minutes without a word ...'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/facezoo demo --run_dir=$(DEMO) --start=test:$(START) --end=test:$(END)

# Retrains every recipe of the table in docs/zoo.md, and writes it anew.
zoo: $(INSTALLED)
	@test -n '$(FACES)' || { echo 'make zoo FACES=FOLDER: name a folder of photographs of faces'; exit 2; }
	FACES='$(FACES)' CROP='$(CROP)' VGG19='$(VGG19)' ZOO='$(ZOO)' $(BIN)/facezoo sweep --file='$(SWEEP)' --out='$(ZOO)' \
		--metrics=psnr,ssim,lpips,kid --table='$(PAGE)'

# Exports the models that ship in every format and precision, and writes the table in docs/exporting.md anew.
exports: $(INSTALLED)
	$(BIN)/facezoo benchmark --measure=export --page=docs/exporting.md

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

# The site of documents, into site/; a warning is an error. `make docs DOCS=serve` shows it while pages are written.
docs: $(VENV)/.documented
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(DOCS)

$(VENV)/.documented: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) build dist site *.egg-info
