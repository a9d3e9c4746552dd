# unit tests of match/
MATCH_TESTS = test_addr_set test_fold test_host_set test_host_spec test_pattern
check_PROGRAMS += $(MATCH_TESTS)
test_addr_set_SOURCES = tests/unit/test_addr_set.c
test_addr_set_CFLAGS = $(UNIT_CFLAGS)
test_addr_set_LDADD = $(UNIT_LDADD)
test_fold_SOURCES = tests/unit/test_fold.c
test_fold_CFLAGS = $(UNIT_CFLAGS)
test_fold_LDADD = $(UNIT_LDADD)
test_host_set_SOURCES = tests/unit/test_host_set.c
test_host_set_CFLAGS = $(UNIT_CFLAGS)
test_host_set_LDADD = $(UNIT_LDADD)
test_host_spec_SOURCES = tests/unit/test_host_spec.c
test_host_spec_CFLAGS = $(UNIT_CFLAGS)
test_host_spec_LDADD = $(UNIT_LDADD)
test_pattern_SOURCES = tests/unit/test_pattern.c
test_pattern_CFLAGS = $(UNIT_CFLAGS)
test_pattern_LDADD = $(UNIT_LDADD)
