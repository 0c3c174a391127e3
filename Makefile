# make run    the page and the API on http://127.0.0.1:8000 (PORT=, BUNDLE=)
# make test   every test, ruff and mypy
PYTHON ?= python3
PORT ?= 8000
BUNDLE ?= build/bundle
BIN := .venv/bin
WEIGHTS := model/pretrained/carvae.safetensors

.PHONY: run test check clean

run: .venv/run.stamp $(BUNDLE)/manifest.json
	@exec $(BIN)/python scripts/serve.py --bundle $(BUNDLE) --port $(PORT)

test: .venv/dev.stamp check
	$(BIN)/python -m pytest

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Only the default bundle is made here; another one is its maker's.
build/bundle/manifest.json: $(WEIGHTS) $(wildcard model/*.py) | .venv/run.stamp
	@echo "building the model bundle from $(WEIGHTS)"
	@$(BIN)/python scripts/export.py $(WEIGHTS) build/bundle

.venv/bin/python:
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and f"make: Python {v[0]}.{v[1]} found; 3.11, 3.12 or 3.13 is needed (PYTHON=python3.13)")'
	@$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.txt requirements-function.txt | .venv/bin/python
	@echo "installing what the server needs (torch is large: some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements-train.txt requirements.txt requirements-function.txt | .venv/bin/python
	@echo "installing what the tests need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ .venv/run.stamp

clean:
	rm -rf build .venv
