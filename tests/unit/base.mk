# unit tests of base/
check_PROGRAMS += test_addr
test_addr_SOURCES = tests/unit/test_addr.c
test_addr_CFLAGS = $(UNIT_CFLAGS)
test_addr_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_log
test_log_SOURCES = tests/unit/test_log.c
test_log_CFLAGS = $(UNIT_CFLAGS)
test_log_LDADD = $(UNIT_LDADD)
