# unit tests of tls/: verification
check_PROGRAMS += test_verify
test_verify_SOURCES = tests/unit/test_verify.c tests/unit/certs.c tests/unit/certs.h tests/unit/block.h
test_verify_CFLAGS = $(UNIT_CFLAGS)
test_verify_LDADD = $(UNIT_LDADD)
