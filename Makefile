# `make run` sets up and does the main job, `make test` sets up and passes the tests. `make` lists the rest.

# The newest Python that every dependency knows. Name another with `make PYTHON=/usr/bin/python3.12 run`.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	$$name -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$name && break; done)
ENVIRONMENT := .venv
BIN := $(ENVIRONMENT)/bin
# Superset has an environment of its own, and knows no newer Python than 3.12.
BI_PYTHON ?= $(shell for name in python3.12 python3.11 python3 python; do \
	$$name -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$name && break; done)
BI_ENVIRONMENT := .venv_bi
BI_BIN := $(BI_ENVIRONMENT)/bin
# A lock holds every package with its hashes, so nothing is left to resolve.
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
INSTALL := $(BIN)/python $(PIP_INSTALL)
# Two workers, for two cores; tests/conftest.py says who gets what. Plain pytest works as well.
PYTEST := $(BIN)/python -m pytest -n 2

# Without Material's banner about what comes after it; pyproject.toml says it.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs

# What a person gives reaches a command as it was typed: make would expand `$5`, and run `$(shell ...)`, on the way into the
# environment. Recipes take it from there, in quotes, and behind `--` or `=`, where a dash begins no option.
GIVEN := LOAD BECAUSE SOURCE TABLE PUBLICATION NAME FOLDER DATES SEED PREDICTION VERSION OVERRIDE PORT VOTERS
$(foreach name,$(GIVEN),$(if $(filter-out undefined,$(origin $(name))),\
	$(eval override $(name) := $$(value $(name)))$(eval export $(name))))

.DEFAULT_GOAL := help
.PHONY: help run audit quarantine accept release publications restore export approve rollback replay leaderboard \
	ui bi sources test test-bi lint types sql test-fast docs docs-serve lock clean

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

run: $(ENVIRONMENT)/run ## Land, build, train, score, test and publish everything once; VOTERS=100000 for more of them
	@$(if $(VOTERS),TURNOUT_SAMPLE_VOTERS="$$VOTERS") $(BIN)/python -m orchestration run

quarantine: $(ENVIRONMENT)/run ## List the files that were refused and wait for a person
	@$(BIN)/python -m orchestration quarantine

accept: $(ENVIRONMENT)/run ## Load refused files as they are: make accept LOAD=id BECAUSE="the reason", or SOURCE=name TABLE=name
	@$(BIN)/python -m orchestration accept $(if $(SOURCE)$(TABLE),--source="$$SOURCE" --table="$$TABLE") -- "$$LOAD" "$$BECAUSE"

release: $(ENVIRONMENT)/run
	@$(BIN)/python -m orchestration release $(if $(LOAD),-- "$$LOAD")

publications: $(ENVIRONMENT)/run ## List what is published, and what one can go back to
	@$(BIN)/python -m orchestration publications

restore: $(ENVIRONMENT)/run ## Go back to a publication: make restore PUBLICATION=id NAME="you" BECAUSE="why"
	@$(BIN)/python -m orchestration restore -- "$$PUBLICATION" "$$NAME" "$$BECAUSE"

export: $(ENVIRONMENT)/run ## Write every published table as a Parquet file; FOLDER=... puts them there
	@$(BIN)/python -m orchestration export $(if $(FOLDER),--folder="$$FOLDER")

audit: $(ENVIRONMENT)/run ## Does any example know the future? Five past dates; make audit DATES=20 SEED=1
	@$(BIN)/python -m orchestration audit $(if $(DATES),--dates="$$DATES") $(if $(SEED),--seed="$$SEED")

approve: $(ENVIRONMENT)/run ## Let a waiting challenger score: make approve PREDICTION=name VERSION=2 NAME="you" BECAUSE="why"
	@$(BIN)/python -m orchestration approve -- "$$PREDICTION" "$$VERSION" "$$NAME" "$$BECAUSE"

rollback: $(ENVIRONMENT)/run ## Go back to an earlier version: make rollback PREDICTION=name VERSION=1 NAME="you" BECAUSE="why"
	@$(BIN)/python -m orchestration rollback $(if $(OVERRIDE),--override="$$OVERRIDE") -- \
		"$$PREDICTION" "$$VERSION" "$$NAME" "$$BECAUSE"

replay: $(ENVIRONMENT)/run ## Make a version once more and compare: make replay PREDICTION=name VERSION=1
	@$(BIN)/python -m orchestration replay -- "$$PREDICTION" "$$VERSION"

ui: $(ENVIRONMENT)/run ## Open Dagster on 127.0.0.1:3000
	@$(BIN)/python -m orchestration ui

leaderboard: $(ENVIRONMENT)/run ## Open MLflow on 127.0.0.1:5000: every run, model and metric; PORT=5001 opens it there
	@$(BIN)/python -m orchestration leaderboard $(if $(PORT),--port="$$PORT")

bi: $(BI_ENVIRONMENT)/bi ## Open the dashboards on 127.0.0.1:8088; PORT=8089 opens them there
	@$(BI_BIN)/python -m bi $(if $(PORT),--port="$$PORT")

test: lint ## Lint, check types, run every test
	$(PYTEST)

test-fast: $(ENVIRONMENT)/test ## Run the unit tests that fit no model: less than a minute
	$(PYTEST) tests/unit -m "not slow"

test-bi: $(ENVIRONMENT)/test_bi $(BI_ENVIRONMENT)/bi ## Look at the dashboards and at Dagster as people do: over REST and in a browser
	$(BIN)/python -m pytest tests/bi

docs: $(ENVIRONMENT)/docs ## Build the site into site/; a broken link, or a page that loads something from elsewhere, fails
	$(MKDOCS) build --strict --quiet

docs-serve: $(ENVIRONMENT)/docs ## Show the site on 127.0.0.1:8000, made anew when a page changes; PORT=8001 shows it there
	$(MKDOCS) serve --dev-addr "127.0.0.1:$${PORT:-8000}"

sources: $(ENVIRONMENT)/run ## Write dbt's YAML of the tables that Python writes, after a prediction was declared or a table changed
	@$(BIN)/python -m orchestration sources

lint: $(ENVIRONMENT)/test ## Check format, style, imports, types and SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory --jobs 2 types sql

types: $(ENVIRONMENT)/test # a minute on one core, while `sql` has the other
	$(BIN)/mypy

sql: $(ENVIRONMENT)/test
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sqlfluff lint --processes 1 --disable-progress-bar dbt_project

lock: $(ENVIRONMENT)/run ## Write the locks anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header pyproject.toml --group dev -o requirements/test.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header pyproject.toml -c requirements/test.lock -o requirements/run.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --group browser -c requirements/test.lock -o requirements/browser.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --group docs -c requirements/test.lock -o requirements/docs.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --group bi -o requirements/bi.lock

clean: ## Remove the environments; landing/, warehouse/ and published/ stay
	rm -rf $(ENVIRONMENT) $(BI_ENVIRONMENT) dbt_project/target dbt_project/logs site

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Turnout needs Python 3.11, 3.12 or 3.13 with venv (on Debian: apt install python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(ENVIRONMENT)

$(ENVIRONMENT)/run: requirements/run.lock | $(BIN)/python
	@echo "Installing (a minute or two, once)"
	@$(INSTALL) -r requirements/run.lock
	@touch $@

$(ENVIRONMENT)/test: requirements/test.lock requirements/older_client.lock | $(ENVIRONMENT)/run
	@echo "Installing what the tests need"
	@$(INSTALL) -r requirements/test.lock
	@# A DuckDB 1.x beside our own, as BI tools have it: the tests open the publication with it.
	@$(INSTALL) --upgrade --target $(ENVIRONMENT)/older_client -r requirements/older_client.lock
	@touch $@

$(ENVIRONMENT)/test_bi: requirements/browser.lock | $(ENVIRONMENT)/test
	@echo "Installing what the tests in a browser need"
	@$(INSTALL) -r requirements/browser.lock
	@touch $@

$(ENVIRONMENT)/docs: requirements/docs.lock | $(ENVIRONMENT)/run
	@echo "Installing what the site needs"
	@$(INSTALL) -r requirements/docs.lock
	@touch $@

$(BI_BIN)/python:
	@test -n "$(BI_PYTHON)" || { echo "Superset needs Python 3.11 or 3.12 with venv beside the one of the pipeline" \
		"(on Debian: apt install python3-venv), or name one: make bi BI_PYTHON=/usr/bin/python3.12"; exit 1; }
	$(BI_PYTHON) -m venv $(BI_ENVIRONMENT)

$(BI_ENVIRONMENT)/bi: requirements/bi.lock | $(BI_BIN)/python
	@echo "Installing Superset (a minute or two, once)"
	@$(BI_BIN)/python $(PIP_INSTALL) -r requirements/bi.lock
	@touch $@
