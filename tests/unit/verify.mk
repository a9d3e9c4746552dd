# unit tests of tls/: verification
check_PROGRAMS += test_verify
test_verify_SOURCES = tests/unit/test_verify.c tests/unit/certs.c tests/unit/certs.h tests/unit/block.h
test_verify_CFLAGS = $(UNIT_CFLAGS)
test_verify_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_aia
test_aia_SOURCES = tests/unit/test_aia.c tests/unit/conf_dir.h
test_aia_CFLAGS = $(UNIT_CFLAGS)
test_aia_LDFLAGS = $(AM_LDFLAGS) -pthread -Wl,--wrap=dial_start
test_aia_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_origin_memory
test_origin_memory_SOURCES = tests/unit/test_origin_memory.c
test_origin_memory_CFLAGS = $(UNIT_CFLAGS)
test_origin_memory_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_verify_origin
test_verify_origin_SOURCES = tests/unit/test_verify_origin.c tests/unit/certs.c tests/unit/certs.h tests/unit/block.h tests/unit/tls_parts.h
test_verify_origin_CFLAGS = $(UNIT_CFLAGS)
test_verify_origin_LDADD = $(UNIT_LDADD)
