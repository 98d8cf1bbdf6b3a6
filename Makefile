PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

.PHONY: demo app test coverage bench lint types check clean

demo: $(READY)
	$(BIN)/dar demo

app: $(READY)
	$(BIN)/dar app --gallery demo-output

test: $(READY)
	$(PYTEST)

coverage: $(READY)
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-fail-under=90

bench: $(READY)
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python examples/benchmarks/ingest_speed.py
	$(BIN)/python examples/benchmarks/search_speed.py
	$(BIN)/python examples/benchmarks/index_scale.py --folder bench-output/index
	$(BIN)/python examples/benchmarks/turn_on_device.py --folder bench-output/models

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(VENV) demo-output

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@
