# unit tests of auth/
check_PROGRAMS += test_ap_req test_contexts test_principal
test_ap_req_SOURCES = tests/unit/test_ap_req.c tests/unit/block.h
test_ap_req_CFLAGS = $(UNIT_CFLAGS)
test_ap_req_LDADD = $(UNIT_LDADD)
test_contexts_SOURCES = tests/unit/test_contexts.c
test_contexts_CFLAGS = $(UNIT_CFLAGS)
test_contexts_LDADD = $(UNIT_LDADD)
test_principal_SOURCES = tests/unit/test_principal.c tests/unit/block.h
test_principal_CFLAGS = $(UNIT_CFLAGS)
test_principal_LDADD = $(UNIT_LDADD)
