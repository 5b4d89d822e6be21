# The lecture's commands; `make` alone lists them. Windows has no make: the README gives the same in pip's words.
PYTHON ?= python3
# CPU=1: TensorFlow without what only a GPU needs, also in what is installed later. LOCKED=1: the versions of requirements.lock.
CPU ?= $(shell grep -qs '^tensorflow-cpu' .venv/requirements.txt && echo 1)
LOCKED ?=
NAMES ?=
HERE := .venv/bin/python

.PHONY: help lecture lab test notebooks data check student slides site bench address

help:
	@sed -n 's/^\([a-z]*\):.*## /make \1: /p' Makefile

lecture: .venv/lecture  ## write the lecture edition and open it in JupyterLab: what a lecturer needs
	@$(HERE) -m helpers.editions lecture --open

lab: .venv/authors  ## open the notebooks themselves in JupyterLab: what an author needs
	@cd notebooks && "$(CURDIR)/$(HERE)" -m jupyterlab --ip=localhost $(pairs) $(as_root) $(no_screen)

test: .venv/tests  ## run every check but the longest
	@$(HERE) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --junitxml=.pytest_cache/make-test.xml

bench: .venv/bench $(if $(FULL),test)  ## measure beside other libraries, for the README (FULL=1: more images, and make test)
	@$(HERE) -m pytest tests/benchmarks/bench.py --benchmark-json=.pytest_cache/bench.json
	@$(HERE) tests/benchmarks/report.py .pytest_cache/bench.json

notebooks: .venv/authors  ## run the notebooks' sources on CIFAR-10 and keep the outputs (NAMES=05-fgsm: only this one)
	@$(HERE) -m helpers.editions notebooks $(NAMES)

data: .venv/lecture  ## fetch CIFAR-10, once, before the lecture
	@$(HERE) -m helpers.data

check: .venv/lecture  ## say whether this machine is ready
	@$(HERE) -m helpers.check

student: .venv/lecture  ## write the notebooks for students, without solutions and notes, into student and student.zip
	@$(HERE) -m helpers.editions student

slides: .venv/authors  ## write the notebooks as reveal.js decks into slides
	@$(HERE) -m helpers.editions slides

site: .venv/authors  ## write the notebooks as pages for home into site
	@$(HERE) -m helpers.editions site

address: .venv/authors  ## after a change of the public address in pyproject.toml, write it wherever it is used
	@$(HERE) -m helpers.editions address

# The stamps go before pip starts and come back when pip is done, so that an interrupted install starts anew. Each holds
# all that the one before it holds: for readers and lecturers, for authors, for the checks, for the measurements.
define install
$(if $(new),$(if $(unfit),$(error $(unfit))))
@$(if $(new),echo "Installing into .venv (once: $(if $(CPU),2,2.6) GB and a few minutes)" && "$(PYTHON)" -m venv --clear .venv)
@rm -f .venv/lecture .venv/authors .venv/tests .venv/bench
@cp requirements.txt .venv/requirements.txt
@$(if $(CPU),sed -i.full 's/^tensorflow>/tensorflow-cpu>/' .venv/requirements.txt)
@$(HERE) -m pip install --disable-pip-version-check -r .venv/requirements.txt $(1) $(if $(LOCKED),-c requirements.lock)
@touch .venv/lecture $(2)
endef
authors = -e .[authors,cluster]
tests = $(authors) -r tests/requirements.txt

.venv/lecture: .venv/bin/python requirements.txt pyproject.toml
	$(call install)

.venv/authors: .venv/bin/python requirements.txt pyproject.toml
	$(call install,$(authors),.venv/authors)

.venv/tests: .venv/bin/python requirements.txt pyproject.toml tests/requirements.txt
	$(call install,$(tests),.venv/authors .venv/tests)

.venv/bench: .venv/bin/python requirements.txt pyproject.toml tests/requirements.txt tests/benchmarks/requirements.txt
	$(call install,$(tests) -r tests/benchmarks/requirements.txt,.venv/authors .venv/tests .venv/bench)

.venv/bin/python: ;

new = $(shell test -e .venv/lecture && test -x $(HERE) || echo new)

# What keeps $(PYTHON) from making a .venv, in one line; nothing where it can.
unfit = $(shell \
  command -v "$(PYTHON)" >/dev/null || { echo 'there is no $(PYTHON): sudo apt install python3-venv'; exit; }; \
  "$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
    { echo "$(PYTHON) is $$("$(PYTHON)" -V 2>&1), the lecture needs 3.11 to 3.13:" \
           "name one that you have, as in make $(MAKECMDGOALS) PYTHON=python3.12"; exit; }; \
  "$(PYTHON)" -c 'import ensurepip' 2>/dev/null || echo 'python3-venv is missing: sudo apt install python3-venv')

# A notebook and its .py are read and written as one, whatever their times are (helpers/editions/pairs.py).
pairs = --ServerApp.contents_manager_class=helpers.editions.pairs.PairedContents \
  --ServerApp.jpserver_extensions="{'jupytext': False}"

# JupyterLab refuses to run as root unless told; without a screen it could start a text browser in this terminal.
as_root = $(if $(filter 0,$(shell id -u)),--allow-root)
no_screen = $(if $(DISPLAY)$(WAYLAND_DISPLAY)$(BROWSER)$(filter Darwin,$(shell uname)),,--no-browser)
