# unit tests of proc/
check_PROGRAMS += test_logger
test_logger_SOURCES = tests/unit/test_logger.c
test_logger_CFLAGS = $(UNIT_CFLAGS)
test_logger_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_metrics_text
test_metrics_text_SOURCES = tests/unit/test_metrics_text.c tests/unit/cost.h
test_metrics_text_CFLAGS = $(UNIT_CFLAGS)
test_metrics_text_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_status
test_status_SOURCES = tests/unit/test_status.c tests/unit/cost.h
test_status_CFLAGS = $(UNIT_CFLAGS)
test_status_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_board
test_board_SOURCES = tests/unit/test_board.c
test_board_CFLAGS = $(UNIT_CFLAGS)
test_board_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_hits
test_hits_SOURCES = tests/unit/test_hits.c
test_hits_CFLAGS = $(UNIT_CFLAGS)
test_hits_LDADD = $(UNIT_LDADD)

check_PROGRAMS += test_legacy
test_legacy_SOURCES = tests/unit/test_legacy.c
test_legacy_CFLAGS = $(UNIT_CFLAGS)
test_legacy_LDADD = $(UNIT_LDADD)
