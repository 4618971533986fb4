# Thin targets; `make` lists them. Everything runs in .venv, made from pyproject.toml with plain pip.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT   ?= 8000
VENV   := .venv
BIN    := $(VENV)/bin
SITE   := book/_build/html

# Notebooks and tests start programs of this environment by name (papermill, snnlib), whichever one is active outside.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help book serve links weight test lint bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: $(VENV)/.extra-book ## build the book, training what is not in the store yet, into book/_build/html
	$(BIN)/jupyter-book build book/ --all -W --keep-going

serve: | $(SITE)/index.html ## show the built book at http://localhost:8000 (PORT=... for another port)
	@$(BIN)/python -m book.tools serve $(SITE) --port $(PORT)

links: | $(SITE)/index.html ## check that every link within the built book leads somewhere
	$(BIN)/python -m book.tools links $(SITE)

weight: | $(SITE)/index.html ## print what a reader's browser transfers for each page; fails over 2 MB
	$(BIN)/python -m book.tools weight $(SITE)

test: $(VENV)/.extra-test ## run the tests, on up to four cores
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.extra-test ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: .venv-bench/.extra-bench ## measure speed and memory beside other libraries, a quarter of an hour on an idle machine
	.venv-bench/bin/python -m benchmarks

clean: ## remove what was built; .venv and the store of trained networks stay
	rm -rf book/_build dist .pytest_cache .ruff_cache .hypothesis
	find snnlib tests book notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

$(SITE)/index.html:
	$(MAKE) book

# What the benchmarks compare with is nothing that the project needs: it has an environment of its own.
.venv-bench/.extra-bench: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python found: name one with make PYTHON=/path/to/python"; exit 1; }
	test -d .venv-bench || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --editable '.[bench]'
	touch $@

# One stamp for each extra, older than pyproject.toml when a dependency has changed; left unmade by a failed install.
$(VENV)/.extra-%: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --editable '.[$*]'
	touch $@

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "No Python found: install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
