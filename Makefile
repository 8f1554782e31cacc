# The two commands: `make demo` and `make test`. Python 3.11 or newer and make are all they need.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
WORKERS ?= 2
DEMO := runs/demo
BIN := .venv/bin
# What needs torchvision lies in a folder of its own, which tests/beside.py puts on the path of a process: whatever finds
# torchvision imports it, and a torchvision built for CUDA cannot be imported beside a torch built for CPUs. So does
# torchao, which diffusers imports wherever it is: seconds, and messages about parts of it that are for other machines.
BESIDE := .venv/beside
# Modules are compiled as they are first imported, as most never are; for the tests all at once, on every core.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet --no-compile --constraint constraints.txt
TORCH := $(shell grep '^torch==' constraints.txt)
SAY = @printf '\033[1m%s\033[0m\n'

help:  ## Tell what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# So small a network gains nothing from threads, and waits for them long where others are at work.
demo: export OMP_NUM_THREADS ?= 1
demo: .venv/ready  ## Make pairs of the sample photographs, train a small network on them, score it, and tell where the pages lie
	$(SAY) "Degrading the photographs that come with scikit-image and scikit-learn"
	@$(BIN)/rrframe run recipes/quickstart.yaml --out $(DEMO)/pairs
	$(SAY) "Making a second set in another way, to stand in for real pairs"
	@$(BIN)/rrframe run recipes/synthesis/stand-in.yaml --out $(DEMO)/stand-in
	$(SAY) "Training in two stages, on both, for a minute"
	@$(BIN)/rrframe run recipes/training/quickstart.yaml --out $(DEMO)/training --strict \
		--set data.synthetic.params.path=$(DEMO)/pairs --set data.stand-in.params.path=$(DEMO)/stand-in
	$(SAY) "Restoring photographs that it never saw"
	@for task in compression haze noise; do \
		$(BIN)/rrframe restore $(DEMO)/training/held-out/$$task/degraded --task $$task --strict --overwrite \
			--checkpoint $(DEMO)/training/best --out $(DEMO)/restored/$$task || exit; done
	$(SAY) "Scoring it beside doing nothing and a classical denoiser, on photographs that it never trained on"
	@$(BIN)/rrframe run recipes/evaluation/quickstart.yaml --out $(DEMO)/evaluation \
		--set restorers.demo.checkpoint=$(DEMO)/training/best
	$(SAY) "Before and after, with their PSNR: $(CURDIR)/$(DEMO)/training/report.html"
	$(SAY) "Scores, with what can be said of them: $(CURDIR)/$(DEMO)/evaluation/report.html"

test: lint docs tests  ## Check everything: style, types, docs, tests

tests: .venv/ready-to-develop  ## Run the tests alone
	$(SAY) "Running the tests, $(WORKERS) at a time"
	@$(BIN)/pytest -n $(WORKERS)

gpu: .venv/ready-to-develop  ## Try every degradation and primitive on this machine's GPU beside its CPU
	@$(BIN)/pytest -q tests/laws/test_devices.py tests/test_imaging_paths.py

lint: .venv/ready-to-develop  ## Check style and types
	$(SAY) "Checking style (ruff) and types (mypy)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: .venv/ready-to-develop  ## Check the generated pages and build the documentation into site/
	$(SAY) "Building the documentation"
	@$(BIN)/python docs/generate.py --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "$(CURDIR)/site/index.html"

pages: .venv/ready-to-develop  ## Write the generated pages of the documentation again
	@$(BIN)/python docs/generate.py

wheel: .venv/ready-to-develop  ## Build the package, install it into an empty environment, and use it there
	$(SAY) "Building the package, and using it as a stranger would"
	@.ci/wheel

strips: .venv/ready-to-develop  ## Draw the pictures of the pages on degradations again
	@$(BIN)/python docs/strips.py

bench: .venv/ready-to-develop  ## Measure speed and memory on this machine, and write docs/performance.md again
	@$(BIN)/rrframe bench synthesis --peers --against benchmarks/published_baseline.py --write docs/performance.md
	@$(BIN)/python benchmarks/memory.py --write docs/performance.md

experiment: .venv/ready-to-develop  ## Train the four ablations of two stages, an hour on a CPU, and write their page again
	@$(BIN)/python benchmarks/two_stages.py --write docs/experiments/two-stages.md

clean:  ## Remove everything that these commands made, .venv and $(DEMO) included
	rm -rf .venv build dist site $(DEMO) *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up. The stamps are older than what they depend on only when something has to be installed again.
.venv/ready: pyproject.toml constraints.txt | .venv/bin/python
	$(SAY) "Installing $(TORCH), some hundred MB the first time"
	@$(PIP) $(TORCH)
	$(SAY) "Installing rrframe"
	@$(PIP) --editable '.[training]'
	@touch $@

.venv/ready-to-develop: .venv/ready
	$(SAY) "Installing what tests and documentation need"
	@$(PIP) --editable '.[dev,docs]'
	@$(PIP) --no-deps --upgrade --target $(BESIDE) einops lpips pyiqa spandrel torchao torchvision
	-@$(BIN)/python -m compileall -q -j 0 .venv/lib $(BESIDE) > /dev/null
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "rrframe needs Python 3.11 or newer; say which with: make PYTHON=python3.12"; exit 1; }
	$(SAY) "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.PHONY: help demo test tests gpu lint docs pages wheel strips bench experiment clean
