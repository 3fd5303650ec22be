PYTHON ?= python3
BIN := .venv/bin/
READY := .venv/.ready

# How many tests are tried at once. Page tests wait for a browser half of the time.
TESTERS ?= 3
# The tests of a group are tried by one process, and groups begin in the order of tests/conftest.py.
ORDER := --dist loadgroup --no-loadscope-reorder

# What needs nothing to run. The recipes of book, test and check are plain commands that Windows
# knows too: README.md, Without make, has them, and a test compares.
define lint
$(BIN)ruff check .
$(BIN)ruff format --check .
$(BIN)mypy
$(BIN)python tests/github_files.py
$(BIN)python tests/javascript/check.py
endef

.DEFAULT_GOAL := help
.PHONY: help book pdf slides test check serve screenshots wide-cells lab cells minutes \
	bench bench-accelerator bench-widgets bench-training results shake mutants repository \
	other-python lint colab colab-files colab-image colab-issue graders \
	classroom classroom-test clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Written last, so that an interrupted installation is taken up again.
$(READY): requirements.txt tests/labml.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)pip install --quiet -r requirements.txt
	$(BIN)pip install --quiet --no-deps -r tests/labml.txt
	$(BIN)pip install --quiet --no-deps -e .
	@touch $@

book: $(READY) ## execute every notebook and build the HTML book
	$(BIN)python book/tools/build.py

pdf: $(READY) ## the whole book as one PDF, its solutions left out (or SOLUTIONS=1); needs Chromium
	$(BIN)python book/tools/pdf.py $(if $(SOLUTIONS),--solutions)

slides: book ## slides of every chapter, and with PRINT=1 as PDF too (needs Chromium); npm gets reveal.js
	$(BIN)python book/tools/slides.py $(if $(PRINT),--print)

test: book ## build the book, then run every test
	$(lint)
	$(BIN)pytest -q -rs -n $(TESTERS) $(ORDER)

check: $(READY) ## lint, and the quick tests that need neither the built book nor a browser
	$(lint)
	$(BIN)pytest -q -rs -n auto $(ORDER) -m "not book and not slow" --ignore tests/pages

lint: $(READY) ## lint alone, as before each commit (see CONTRIBUTING.md)
	$(lint)

serve: book ## show the built book on http://localhost:8000
	$(BIN)python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

screenshots: book ## pictures of every widget (or ONLY="NAME NAME"), light and dark, narrow and wide
	$(BIN)python tests/pages/screenshots.py $(ONLY)

wide-cells: book ## count the code cells that scroll sideways, on a laptop and on phones
	$(BIN)python tests/pages/wide_cells.py

lab: $(READY) ## open the notebooks in JupyterLab
	$(BIN)jupyter lab notebooks

cells: $(READY) ## bring the notebooks' copied cells in line with the package
	$(BIN)python book/tools/sync.py

minutes: $(READY) ## how long each chapter takes, by the rule in book/tools/minutes.py
	$(BIN)python book/tools/minutes.py

bench: $(READY) ## race the package against other implementations, on a machine left alone
	$(BIN)pip install --quiet --no-deps -r benchmarks/requirements.txt
	@mkdir -p _build
	$(BIN)python benchmarks/compare.py --out _build/bench.json

bench-accelerator: $(READY) ## measure on a GPU, in under ten minutes, and write feedback/results/accelerator.json
	$(BIN)python benchmarks/accelerator.py

bench-widgets: book ## how quick the live model is in the built page, on a machine left alone
	$(BIN)python benchmarks/widgets.py

bench-training: $(READY) ## how soon two models learn in the page, by Node, on a machine left alone
	$(BIN)python benchmarks/training.py

shake: $(READY) ## count how often live results come out (or ONLY="NAME NAME"); goes on after a stop
	$(BIN)python experiments/shake.py $(ONLY)

mutants: $(READY) ## try the exercises' checks on slips in their solutions (or ONLY="1.3 5.4")
	PYTHONPATH=tests $(BIN)python experiments/mutants.py $(ONLY)

results: $(READY) ## make what is missing in recorded experiments (or ONLY="NAME NAME"; AGAIN=2: compare)
	$(BIN)pip install --quiet --no-deps -r benchmarks/requirements.txt
	$(BIN)python experiments/run.py $(ONLY) $(if $(AGAIN),--again $(AGAIN))

repository: $(READY) ## set the public address: make repository URL=https://github.com/OWNER/REPO
	$(if $(filter undefined,$(origin URL)),$(error say URL=https://github.com/OWNER/REPO, or URL= to remove it))
	$(BIN)python book/tools/sync.py --repository "$(URL)"

# Another Python gets an environment of its own: what builds the book has no version for each.
other-python: ## the quick tests on another Python: make other-python PYTHON=python3.13
	$(PYTHON) -m venv --clear _build/other-python
	_build/other-python/bin/pip install --quiet -r tests/package.txt
	_build/other-python/bin/pip install --quiet --no-deps -r tests/labml.txt
	_build/other-python/bin/pip install --quiet -e .
	_build/other-python/bin/pytest -q -rs -n auto $(ORDER) -m "not book and not slow" \
		--ignore tests/pages

colab: ## rehearse every notebook alone, in an environment that holds what Colab holds
	$(PYTHON) tests/colab/rehearse.py

colab-files: ## notebooks that carry the package: one uploaded to Colab runs alone
	$(PYTHON) book/tools/colab_files.py

colab-image: ## the same in Colab's own image, which needs Docker
	$(PYTHON) tests/colab/in_image.py

colab-issue: ## in a workflow, after colab-image: say on GitHub what failed
	$(PYTHON) tests/colab/report.py

graders: $(READY) ## try the exported exercises with the graders themselves
	$(BIN)python tests/graders/rehearse.py

classroom: book ## all that a class needs in one archive, _build/classroom.zip; needs Chromium and npm
	$(BIN)python book/tools/classroom.py

classroom-test: classroom ## use that archive as a class does, with no network
	$(BIN)python tests/classroom/rehearse.py

clean: ## remove everything that can be made again
	rm -rf _build .venv
