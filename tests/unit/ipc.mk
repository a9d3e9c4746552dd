# unit tests of ipc/
check_PROGRAMS += test_ring
test_ring_SOURCES = tests/unit/test_ring.c
test_ring_CFLAGS = $(UNIT_CFLAGS)
test_ring_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_failures
test_failures_SOURCES = tests/unit/test_failures.c
test_failures_CFLAGS = $(UNIT_CFLAGS)
test_failures_LDADD = $(UNIT_LDADD)
