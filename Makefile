# Each target sets .venv up by itself, with no more than it needs: all it takes is Python 3.11 or newer, and make.
# Another Python than the first one found is named so: make install PYTHON=/path/to/python3

VENV := .venv
RUN := $(VENV)/bin/python
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3 /usr/bin/python3)

# The extras that are installed, each with those before it.
CORE := $(VENV)/.with-core
TEST := $(VENV)/.with-test
DEV := $(VENV)/.with-dev

# What builds the distribution and makes environments of other versions, apart from what it handles.
TOOLS := .venv-release
RELEASE := $(TOOLS)/.with-release
# The Python of test-newest: a version, which uv finds, or the path of one.
NEWEST ?= 3.14
SPREAD := --numprocesses 2 --dist loadgroup --no-loadscope-reorder

.PHONY: help install demo test test-lowest test-newest check nightly dist sbom bench bench-check bench-ingest docs
.NOTPARALLEL:

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

install: $(DEV) ## set .venv up with all that the others need
	@$(RUN) -c 'import sys; print("$(VENV) is ready, with Python", sys.version.split()[0])'

demo: $(CORE) ## embed 1,137 verses into an index of the embedded emulator and answer three queries
	@$(RUN) examples/embed_corpus.py

test: $(TEST) ## run every test, on two processors, and tell what they cover
	@$(RUN) -m pytest $(SPREAD) --cov --cov-report term-missing

test-lowest: $(RELEASE) ## run every test with Python 3.11 and the lowest versions that pyproject.toml allows
	@$(call suite,.venv-lowest,3.11,--resolution lowest-direct)

test-newest: $(RELEASE) ## run every test with Python 3.14 and the newest versions (or make test-newest NEWEST=3.13)
	@$(call suite,.venv-newest,$(NEWEST),--upgrade)

check: $(DEV) ## judge format, style and types
	$(RUN) -m ruff format --check
	$(RUN) -m ruff check
	$(RUN) -m mypy --strict
	$(RUN) -m pyright

nightly: $(TEST) ## try thousands of faults, and half an hour of load under all of them (an hour)
	@$(RUN) -m tests.reliability.hostile --trials 3000
	@$(RUN) -m tests.reliability.network --trials 3000
	@$(RUN) -m tests.reliability.machine --lives 500
	@$(RUN) -m tests.reembedding.live --documents 300 --kills 8 --pause 0.05
	@$(RUN) -m tests.reembedding.live.back
	@$(RUN) -m tests.reliability.soak --minutes 30

dist: $(RELEASE) ## build wheel and sdist of the last commit, twice, compare them, and try them in clean environments
	@$(TOOLS)/bin/python -m tests.release dist

sbom: dist ## write the software bill of materials (CycloneDX) of the wheel and all that it needs
	@$(TOOLS)/bin/python -m tests.release sbom

bench: $(DEV) ## measure calls, embeddings, documents, memory and imports beside others (5 minutes); write a JSON
	@$(RUN) -m benchmarks

bench-check: $(DEV) ## fail if calls or documents need more instructions than the baseline (2 minutes, and valgrind)
	@$(RUN) -m benchmarks.instructions

bench-ingest: $(DEV) ## measure bulk jobs: Parquet, faults, concurrency, Ray, and a real OpenSearch (15 minutes, and Java)
	@$(RUN) -m benchmarks.ingest_parquet
	@$(RUN) -m benchmarks.ingest_faults
	@$(RUN) -m benchmarks.ingest_adaptive
	@$(RUN) -m benchmarks.ingest_ray
	@$(RUN) -m benchmarks.ingest_opensearch

docs: $(DEV) ## write the generated pages, build the site, check its links, and run every snippet (docs/_build/html)
	@$(RUN) docs/make_site.py

# An environment, its Python, and how versions are chosen. It is made anew each time.
define suite
$(TOOLS)/bin/uv venv --quiet --clear --python $(2) $(1) && \
$(TOOLS)/bin/uv pip install --quiet --python $(1) $(3) --editable '.[test]' && \
$(1)/bin/python -m pytest $(SPREAD)
endef

$(RELEASE): pyproject.toml $(CORE)
	@$(RUN) -m venv --clear $(TOOLS)
	@echo "installing '.[release]' into $(TOOLS) ..."
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	@touch $@

$(CORE): NEEDED := .
$(TEST): NEEDED := .[test]
$(DEV): NEEDED := .[dev]
$(TEST) $(DEV): WITHIN := $(CORE)
$(DEV): WITHIN += $(TEST)

# Marked last, so that an installation that was broken off is begun again. `ensurepip` is what Debian splits off.
$(CORE) $(TEST) $(DEV): pyproject.toml
	@$(RUN) -m pip --version >/dev/null 2>&1 || { \
		for python in $(PYTHONS); do \
			$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
			exec $$python -m venv --clear $(VENV); \
		done; \
		echo 'aiomlcommons needs Python 3.11 or newer with venv (on Debian: apt install python3-venv),' >&2; \
		echo 'and found none as: $(PYTHONS). Name yours: make install PYTHON=/path/to/python3' >&2; \
		exit 1; }
	@echo "installing '$(NEEDED)' into $(VENV) ..."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '$(NEEDED)'
	@touch $@ $(WITHIN)
