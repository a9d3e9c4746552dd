# unit tests of logread/
check_PROGRAMS += test_log_entry test_log_reader
test_log_entry_SOURCES = tests/unit/test_log_entry.c
test_log_entry_CFLAGS = $(UNIT_CFLAGS)
test_log_entry_LDADD = $(UNIT_LDADD)
test_log_reader_SOURCES = tests/unit/test_log_reader.c
test_log_reader_CFLAGS = $(UNIT_CFLAGS)
test_log_reader_LDADD = $(UNIT_LDADD)
