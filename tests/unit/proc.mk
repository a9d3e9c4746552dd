# unit tests of proc/
check_PROGRAMS += test_logger
test_logger_SOURCES = tests/unit/test_logger.c
test_logger_CFLAGS = $(UNIT_CFLAGS)
test_logger_LDADD = $(UNIT_LDADD)
