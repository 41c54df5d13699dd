# Two commands: `make study` runs Glimpse from nothing to a survey in the browser, `make test` runs every check.
# Both set up .venv first, from pyproject.toml (what is needed) and constraints.txt (exactly which versions).
PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
WORKSPACE ?= $(if $(FRESH),workspace-fresh,workspace)
export GLIMPSE_WORKSPACE := $(WORKSPACE)
unexport PYTHONDONTWRITEBYTECODE  # else each of the tests' hundreds of processes compiles the packages again

.PHONY: study test bench setup lint types layers compiler help

help:
	@echo "make study   prepare, publish and serve the survey at http://127.0.0.1:5000"
	@echo "             (FRESH=1: train its generators too, in workspace-fresh)"
	@echo "make test    run all tests and checks, and list the lines that no test reaches"
	@echo "make bench   measure beside named peers, and write docs/benchmarks.md (on an idle machine)"

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Glimpse needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
	  echo "No NVIDIA GPU found: installing PyTorch's build for CPUs, a download of 0.2 GB (with CUDA 2.7 GB)."; \
	  $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv && \
	  $(BIN)/uv pip install -q --python $(BIN)/python --torch-backend cpu --no-deps -c constraints.txt torch || \
	  echo "That build could not be installed: pip now installs PyTorch from its usual index."; \
	fi
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt --config-settings editable_mode=compat \
	  -e '.[train,postgres,test,dev,docs]' # compat: else a folder `analysis` where one works would hide ours
	touch $@

study: .venv/installed
	$(BIN)/gan_core prepare phantom --scale demo
	$(BIN)/gan_core train $(if $(FRESH),--preset demo,--shipped)
	@echo "These generators are small: a program can see their pattern, and the warnings that follow say so."
	$(BIN)/gan_core publish --all
	$(BIN)/study_app load --all
	$(BIN)/study_app serve

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory types layers

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports

# Each process starts with its own range of files, whose fixtures it makes once, and takes over tests of others at the end.
# Four run on two cores, as browser tests mostly wait; those that time single frames come last and alone. slipcover counts
# the lines that the main part reaches, without processes that tests start; on two files it added 3 % of processor time,
# where coverage.py added 48 % (Python 3.11).
# PyTorch's compiler cannot trace lines that still hold slipcover's probes, so its tests run apart, beside the type checks.
TIMING := tests/browser/test_timing.py
COMPILER := tests/gan_core/training/test_gpu_paths.py
test: .venv/installed
	$(MAKE) --no-print-directory -j 2 lint compiler
	$(BIN)/python -m slipcover -m pytest -n 4 --dist worksteal -m "not slow" --ignore $(TIMING) --ignore $(COMPILER)
	$(BIN)/python -m pytest -m "not slow" $(TIMING)

compiler:
	$(BIN)/python -m pytest -m "not slow" $(COMPILER)

# Run it on an idle machine, or the times mean little. BENCH holds options: BENCH='--measured "make test" "9 min 30 s"'
bench: .venv/installed
	$(BIN)/python -m benchmarks $(BENCH)
