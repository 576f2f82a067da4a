# Every target makes the virtual environment it needs by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help test test-trainers stories soak mutants check engine browser demo bench docs clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(STAMP): pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip -c .ci/constraints.txt
	$(BIN)/pip install --quiet -c .ci/constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## two nodes, one spot notice, the same weights: under a minute, all below .steady
	@rm -rf .steady/demo
	$(BIN)/steady --state .steady/demo run --yes specs/examples/demo.yaml

check: $(STAMP) ## format, lint, types and import rules
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

engine: $(STAMP) ## the Pulumi CLI for the tests: the one on PATH, else built once (three minutes, needs Go)
	$(BIN)/python -m tests.engine.cli

browser: $(STAMP) ## a Chromium for the tests of pages: the one on PATH, else Debian's (as root)
	$(BIN)/python -m tests.browser

test: check ## what must hold, but for the stories; without a Pulumi CLI and Go, or a Chromium, their tests say so and are skipped
	-@timeout 900 $(BIN)/python -m tests.engine.cli
	-@timeout 600 $(BIN)/python -m tests.alerts.rulecheck
	-@timeout 300 $(BIN)/python -m tests.browser
	$(BIN)/pytest -n 2 --dist worksteal -m "not story and not soak and not trainer"

stories: engine ## whole stories on AWS with real agents and the real engine: about a quarter of an hour
	$(BIN)/pytest -n 2 --dist worksteal -m story

test-trainers: $(STAMP) ## torch, transformers and Lightning on real fleets: installs 6 GB outside the tree; an hour
	$(BIN)/python -m tests.trainers.environment
	$(BIN)/pytest -m trainer tests/trainers

mutants: $(STAMP) ## take each guard away, one at a time, and see a test fail: some minutes
	$(BIN)/python -m tests.mutants

soak: $(STAMP) ## the long forms: pairs of crashes, nine thousand more bad days, long stateful runs; hours
	$(BIN)/pytest -n 2 --dist worksteal -m soak

bench: $(STAMP) ## the figures of the README's table, measured here
	$(BIN)/python -m tests.bench

docs: $(STAMP) ## write the generated parts of the READMEs anew
	$(BIN)/python -m tests.generated

clean: ## remove what the targets made
	rm -rf $(VENV) .steady .mypy_cache .ruff_cache .hypothesis
