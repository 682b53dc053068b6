# Two doors: `make demo` and `make test`. Both need Python 3.11 or newer and a package registry, nothing else.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml constraints.txt

.PHONY: demo test lint bench lock clean

demo: .venv/core
	$(BIN)/impasto paint examples/cat.jpg examples/styles/swirls.jpg -o demo.png --force
	@echo "Painted: $(CURDIR)/demo.png"

# Both precisions on every machine, whatever is faster there; each test process keeps to one thread.
test: .venv/dev
	$(MAKE) --no-print-directory -j2 --output-sync=target test-float32 test-bfloat16

test-%: .venv/dev
	IMPASTO_PRECISION=$* $(BIN)/python -m pytest

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/dev
	$(BIN)/python benchmarks/paint.py

lock: .venv/dev
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu//' > constraints.txt

clean:
	rm -rf .venv demo.png

.venv/core: $(SOURCES)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=")'
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/dev: .venv/core
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
