# unit tests of import/
check_PROGRAMS += test_m365
test_m365_SOURCES = tests/unit/test_m365.c tests/unit/block.h
test_m365_CFLAGS = $(UNIT_CFLAGS)
test_m365_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_squid_import
test_squid_import_SOURCES = tests/unit/test_squid_import.c
test_squid_import_CFLAGS = $(UNIT_CFLAGS)
test_squid_import_LDADD = $(UNIT_LDADD)
