# Flow tests: the built program between real clients and real origins, in a network namespace that the session makes. They come after the other
# kinds; make check-flow runs nothing else. FLOW_FLAGS: more words for pytest (make check FLOW_FLAGS='-k guard').
FLOW_FLAGS =
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
check-flow: postern $(FLOW_NEEDS)
	@if test "$(FLOW_FLAGS)" = none; then echo "flow tests left out: FLOW_FLAGS=none"; else \
	  cd $(srcdir) && PYTHONDONTWRITEBYTECODE=1 POSTERN="$(abs_builddir)/postern" POSTERN_SRC="$(abs_srcdir)" \
	  $(PYTHON3) -m pytest -p no:cacheprovider -q -rs --junit-xml="$(abs_builddir)/flow.xml" tests/flow $(FLOW_FLAGS); fi
else
check-local: check-TESTS
	@$(MAKE) -s check-flow
check-flow:
	@echo "flow tests left out: python3-pytest is not installed"
endif
CLEANFILES += flow.xml
.PHONY: check-flow
