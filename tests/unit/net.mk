# unit tests of net/
check_PROGRAMS += test_loop
test_loop_SOURCES = tests/unit/test_loop.c
test_loop_CFLAGS = $(UNIT_CFLAGS)
test_loop_LDADD = $(UNIT_LDADD)
