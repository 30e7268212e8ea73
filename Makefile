# Everything a newcomer types. Works with GNU make 3.81 (macOS) and newer.
#
#   make demo      environment, install, synthesize a few people, say where they are
#   make test      the fast tests        make test-slow   the slow ones
#   make test-opengait      those that need a checkout of OpenGait, at $OPENGAIT_ROOT
#   make lint      style and types       make bench       speed beside its peers
#   make clean     what was made here    make distclean   the environment too
#
#   PYTHON=python3.12 make demo     another interpreter (3.10 or newer)
#   TORCH="torch==2.13.0 --index-url URL" make demo     another build of torch (CUDA, CPU only)

PYTHON ?= python3
TORCH  ?= torch==2.13.0
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   := demo-out
PEERS  := .bench-peers

.PHONY: all demo test test-slow test-opengait lint bench clean distclean
.DEFAULT_GOAL := all

all: $(READY)

# torch goes first: once a build is there, nothing that depends on it brings another, much larger one.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: Python 3.10 or newer is needed, this is " + sys.version.split()[0] + "; try PYTHON=python3.12 make")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/python tools/synthesize.py --out $(DEMO) --identities sim2508-001,sim2508-002 --novel 2 \
		--views 000,054,090 --conditions nm,bg,cl --takes 1
	@echo "data:          $(DEMO)/pkl  (an OpenGait tree; $(DEMO)/opengait_entry.yaml has the lines to paste)"
	@echo "look at:       $(DEMO)/index.html"

test: $(READY)
	$(BIN)/python -m pytest

test-slow: $(READY)
	$(BIN)/python -m pytest -m "slow and not opengait" || test $$? -eq 5   # 5: no slow test yet

# Against OpenGait itself: fails where there is none.
test-opengait: $(READY)
	@test -f "$$OPENGAIT_ROOT/opengait/main.py" || { echo "error: OPENGAIT_ROOT='$$OPENGAIT_ROOT' is no OpenGait checkout; git clone https://github.com/ShiqiYu/OpenGait, then OPENGAIT_ROOT=... make test-opengait" >&2; exit 1; }
	$(BIN)/python -m pytest -m opengait

lint: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

# The network we are compared with, in a folder of its own: without all that it asks for, and not in our environment.
$(PEERS)/.ready: | $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(PEERS) \
		video-diffusion-pytorch==0.7.0 einops-exts==0.0.4 rotary-embedding-torch==0.9.1
	@touch $@

bench: $(READY) $(PEERS)/.ready
	$(BIN)/python tools/benchmark.py --peers $(PEERS)

clean:
	rm -rf $(DEMO) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find gaitcrafter_ext tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(PEERS)
