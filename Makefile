# Everything to run, check and measure. Each target does its own set-up in .venv, which takes no time the second time.
#
#   make setup                                  what the product needs, nothing else
#   make demo ARGS="--headless --seconds 60"
#   make test ARGS="-k ring"                    ARGS go to pytest
#   make lint
#   make bench
#
# On Linux PyPI's torch is the CUDA build, several GB. The CPU build is smaller:
#
#   make setup PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
PIP_FLAGS ?=
ARGS ?=
# Tests side by side; most of them wait for processes most of the time.
JOBS ?= $(shell expr $$(nproc) + 1)

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt
# The real parts in the tests: an RTSP camera, an MQTT broker, a browser.
DEBIAN_PACKAGES := gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-rtsp glib-networking ffmpeg mosquitto chromium \
	chromium-driver

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench debian-packages

help:
	@sed -n '/^$$/q;s/^# \{0,1\}//p' Makefile

setup: .venv/installed

demo: setup
	$(BIN)/python run_stream.py demo $(ARGS)

test: .venv/installed-dev debian-packages
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

lint: .venv/installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

# Each script on its own; one that fails does not keep the others from running.
bench: .venv/installed-dev
	@failed=; for script in $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)); do \
		name=$$(basename $$script .py); echo "== $$name"; \
		$(BIN)/python -m benchmarks.$$name $(ARGS) || failed="$$failed $$name"; \
	done; if [ -n "$$failed" ]; then echo "bench: failed:$$failed" >&2; exit 1; fi

# Only as root on Debian and its kin, and only where something is missing. Without it some tests are skipped.
debian-packages:
	@reason=; \
	missing=; \
	for program in ffprobe mosquitto chromium chromedriver; do \
		PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing="$$missing $$program"; \
	done; \
	if /usr/bin/python3 tests/rtsp_server.py --check >/dev/null 2>&1 && [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then reason=" no apt-get here"; \
	elif [ "$$(id -u)" != 0 ]; then reason=" not root; once: sudo make debian-packages"; \
	else \
		echo "debian-packages: installing what the tests need"; \
		export DEBIAN_FRONTEND=noninteractive; \
		timeout 120 apt-get update -qq >/dev/null 2>&1; \
		for package in $(DEBIAN_PACKAGES); do \
			timeout 240 apt-get install -qq -y --no-install-recommends $$package >/dev/null 2>&1 || reason="$$reason $$package"; \
		done; \
	fi; \
	if [ -n "$$reason" ]; then echo "debian-packages: not all installed:$$reason; tests that need them are skipped"; fi

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
		"make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; \
		exit 1; }

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e .
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[dev]'
	@touch .venv/installed $@
