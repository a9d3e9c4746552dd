# unit tests of lint/
check_PROGRAMS += test_lint
test_lint_SOURCES = tests/unit/test_lint.c
test_lint_CFLAGS = $(UNIT_CFLAGS)
test_lint_LDADD = $(UNIT_LDADD)
