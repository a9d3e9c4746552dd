# unit tests of parse/
check_PROGRAMS += test_head
test_head_SOURCES = tests/unit/test_head.c tests/unit/block.h
test_head_CFLAGS = $(UNIT_CFLAGS)
test_head_LDADD = $(UNIT_LDADD)
