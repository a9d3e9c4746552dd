# unit tests of ipc/
check_PROGRAMS += test_names test_ring
test_names_SOURCES = tests/unit/test_names.c tests/unit/block.h
test_names_CFLAGS = $(UNIT_CFLAGS)
test_names_LDADD = $(UNIT_LDADD)
test_ring_SOURCES = tests/unit/test_ring.c
test_ring_CFLAGS = $(UNIT_CFLAGS)
test_ring_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_failures
test_failures_SOURCES = tests/unit/test_failures.c
test_failures_CFLAGS = $(UNIT_CFLAGS)
test_failures_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_limits
test_limits_SOURCES = tests/unit/test_limits.c
test_limits_CFLAGS = $(UNIT_CFLAGS)
test_limits_LDADD = $(UNIT_LDADD)
