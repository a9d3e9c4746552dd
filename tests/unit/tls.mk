# unit tests of tls/
check_PROGRAMS += test_end
test_end_SOURCES = tests/unit/test_end.c tests/unit/tls_parts.h
test_end_CFLAGS = $(UNIT_CFLAGS)
test_end_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_end_resume
test_end_resume_SOURCES = tests/unit/test_end_resume.c tests/unit/tls_parts.h
test_end_resume_CFLAGS = $(UNIT_CFLAGS)
test_end_resume_LDADD = $(UNIT_LDADD)
