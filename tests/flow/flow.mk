# Flow tests: the built program between real clients and real origins, in a network namespace that the session makes. They come after the other
# kinds; make check-flow runs nothing else. FLOW_FLAGS: more words for pytest (make check FLOW_FLAGS='-k guard').
# FLOW_JOBS=2: in two halves at once. FLOW_AGAIN=N: where at most N fail, those once more, alone (again.py).
FLOW_FLAGS =
FLOW_JOBS = 1
FLOW_AGAIN = 0
# what plays a Kerberos client and the back end that checks it
FLOW_NEEDS =
if HAVE_KERBEROS
FLOW_NEEDS += kerberos_probe
EXTRA_PROGRAMS += kerberos_probe
CLEANFILES += kerberos_probe
kerberos_probe_SOURCES = tests/flow/kerberos_probe.c
kerberos_probe_LDADD = libpostern.a $(LIBS_ALL)
endif
if HAVE_PYTEST
check-local: check-TESTS postern
	@$(MAKE) -s check-flow
flow_python = cd $(srcdir) && PYTHONDONTWRITEBYTECODE=1 POSTERN="$(abs_builddir)/postern" POSTERN_SRC="$(abs_srcdir)" $(PYTHON3)
flow_run = $(flow_python) -m pytest -p no:cacheprovider -q -rs tests/flow
flow_again = $(flow_python) tests/flow/again.py $(FLOW_AGAIN)
flow_again_words = -- -p no:cacheprovider -q --junit-xml="$(abs_builddir)/flow-again.xml"
check-flow: postern $(FLOW_NEEDS)
	@if test "$(FLOW_FLAGS)" = none; then echo "flow tests left out: FLOW_FLAGS=none"; \
	elif test "$(FLOW_JOBS)" = 1; then $(flow_run) --junit-xml="$(abs_builddir)/flow.xml" $(FLOW_FLAGS) || ($(flow_again) "$(abs_builddir)/flow.xml" $(flow_again_words)); \
	else \
	  ($(flow_run) --half=2 --junit-xml="$(abs_builddir)/flow2.xml" $(FLOW_FLAGS)) >flow2.log 2>&1 & second=$$!; \
	  ($(flow_run) --half=1 --junit-xml="$(abs_builddir)/flow1.xml" $(FLOW_FLAGS)); one=$$?; \
	  wait $$second; two=$$?; cat flow2.log; \
	  { test $$one -eq 0 -o $$one -eq 5; } && { test $$two -eq 0 -o $$two -eq 5; } || \
	    ($(flow_again) "$(abs_builddir)/flow1.xml" "$(abs_builddir)/flow2.xml" $(flow_again_words)); fi # 5: no test of that half was asked for
else
check-local: check-TESTS
	@$(MAKE) -s check-flow
check-flow:
	@echo "flow tests left out: python3-pytest is not installed"
endif
CLEANFILES += flow-again.xml flow.xml flow1.xml flow2.xml flow2.log
.PHONY: check-flow
