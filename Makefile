# `make fast` while you work, `make all` before you hand something in. CONTRIBUTING.md says more.
PYTHON ?= .venv/bin/python
BIN := $(dir $(PYTHON))
COVERAGE := --cov=ds3d_pipeline --cov-report=term:skip-covered
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet

.PHONY: help install fast test slow data browser docker nightly faults all lint types demo tables page lock

help:  ## show this list
	@grep -hE '^[a-z%*-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install:  ## a virtual environment with exactly the locked dependencies
	python3 -m venv .venv
	.venv/bin/pip install -q --no-deps -r requirements-test.lock
	.venv/bin/pip install -q --no-deps -e .

fast:  ## the fast tier: a few minutes on two cores, no network, no Docker
	$(PYTHON) -m pytest

test:  ## the fast tier with coverage
	$(PYTHON) -m pytest $(COVERAGE)

slow data browser docker nightly:  ## one other tier; a skipped test in it is a failure
	DS3D_REQUIRE=$@ $(PYTHON) -m pytest -m $@

faults:  ## every fault that was once answered wrongly: what is seen now, and whether its tests pass
	$(PYTHON) -m pytest -p ds3d_pipeline_tests.faults.report -m fault -q

all: lint types test slow data browser docker nightly  ## everything, also what takes hours

lint:  ## style and formatting
	$(BIN)ruff check .
	$(BIN)ruff format --check .

types:  ## static types
	$(BIN)pyright

demo:  ## reconstruct a synthetic capture and compare it with its exact truth
	$(BIN)ds3d demo

bench-%:  ## measure one part: bench-dense, bench-mesh, bench-poses, bench-splats, ... (ARGS="...")
	$(PYTHON) benchmarks/$*.py $(ARGS)

tables:  ## make the tables in README.md and docs/ anew, from options and cards
	$(PYTHON) -m ds3d_pipeline.stages.options_table > docs/options.md
	$(PYTHON) -m ds3d_pipeline.stages.documentation > docs/backends.md
	$(PYTHON) -m ds3d_pipeline.stages.documentation README.md docs/using.md

page:  ## build what the page takes from others anew (page/package-lock.json; needs npm's registry)
	cd page && PATH="$(abspath $(BIN)):$$PATH" npm ci --ignore-scripts
	cd page && PATH="$(abspath $(BIN)):$$PATH" node build.mjs ../ds3d_pipeline/web/page/vendor

lock:  ## write the lock files anew, with the newest versions that fit
	$(LOCK) --upgrade pyproject.toml --extra cpu --extra server -o requirements.lock
	$(LOCK) --upgrade pyproject.toml --extra cpu --extra server --extra export --extra test -c requirements.lock -o requirements-test.lock
	$(LOCK) --upgrade docker/trainer/requirements.txt -c requirements.lock -o docker/trainer/requirements.lock
