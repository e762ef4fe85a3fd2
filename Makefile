# Two commands for everybody:  make demo   make test
# The rest is for those who change gossipd:  make lint   make bench   make papers   make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
N ?= 48

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-services bench-dns bench-http bench-simulator compiled papers clean

help:
	@sed -n 's/^# //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("gossipd needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/gossipd demo

test: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2 --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# An editable install costs every start of the interpreter 20 ms: measure what is shipped.
bench:
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check .
	$(VENV)-bench/bin/python tests/bench/main.py --nodes $(N)

# services on a hundred real daemons, beside one etcd where that is at hand: 10 minutes
bench-services:
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check .
	$(VENV)-bench/bin/python tests/bench/main.py --only-services --nodes 100

# DNS: answers a second, what is kept beside what is made, memory: 2 minutes
bench-dns:
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check .
	$(VENV)-bench/bin/python tests/bench/resolving.py --write

# HTTP: replies a second beside Hypercorn, clients that wait, memory, random requests: 10 minutes
bench-http:
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check '.[bench]'
	$(VENV)-bench/bin/python tests/bench/web/main.py --write

# The same source through mypyc, for long campaigns: about twice as fast, the same runs.
compiled: $(VENV)-compiled/.built

$(VENV)-compiled/.built: pyproject.toml $(shell find gossipd cli simulations -name '*.py')
	$(PYTHON) -m venv --clear $(VENV)-compiled
	$(VENV)-compiled/bin/python -m pip install --quiet --disable-pip-version-check . 'mypy>=1.13' setuptools
	$(VENV)-compiled/bin/python tests/bench/compiled.py
	@touch $@

bench-simulator: $(VENV)/.installed-dev compiled
	$(BIN)/python tests/bench/simulator.py --compiled $(VENV)-compiled/bin/python --write docs/simulator-speed.md

# What is finished is kept: interrupted, it goes on from there. Figures out of their bands
# (exit 1) have their reasons in the book.
papers: $(VENV)/.installed-dev
	$(BIN)/gossipd simulate papers --full --write docs/papers.md --keep .papers.jsonl || test $$? -eq 1

clean:
	rm -rf $(VENV) $(VENV)-bench $(VENV)-compiled $(VENV)-others .papers.jsonl
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
