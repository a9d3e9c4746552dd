# unit tests of import/
check_PROGRAMS += test_m365
test_m365_SOURCES = tests/unit/test_m365.c tests/unit/block.h
test_m365_CFLAGS = $(UNIT_CFLAGS)
test_m365_LDADD = $(UNIT_LDADD)
