# unit tests of audit/
check_PROGRAMS += test_record test_format test_format_custom
test_record_SOURCES = tests/unit/test_record.c
test_record_CFLAGS = $(UNIT_CFLAGS)
test_record_LDADD = $(UNIT_LDADD)
test_format_SOURCES = tests/unit/test_format.c
test_format_CFLAGS = $(UNIT_CFLAGS)
test_format_LDADD = $(UNIT_LDADD)
test_format_custom_SOURCES = tests/unit/test_format_custom.c
test_format_custom_CFLAGS = $(UNIT_CFLAGS)
test_format_custom_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_sink
test_sink_SOURCES = tests/unit/test_sink.c
test_sink_CFLAGS = $(UNIT_CFLAGS)
test_sink_LDADD = $(UNIT_LDADD)
