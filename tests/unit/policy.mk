# unit tests of policy/
check_PROGRAMS += test_policy
test_policy_SOURCES = tests/unit/test_policy.c
test_policy_CFLAGS = $(UNIT_CFLAGS)
test_policy_LDADD = $(UNIT_LDADD)

check_PROGRAMS += test_policy_memory
test_policy_memory_SOURCES = tests/unit/test_policy_memory.c
test_policy_memory_CFLAGS = $(UNIT_CFLAGS)
test_policy_memory_LDADD = $(UNIT_LDADD)
test_policy_memory_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=mmap,--wrap=mremap

check_PROGRAMS += test_snapshot
test_snapshot_SOURCES = tests/unit/test_snapshot.c
test_snapshot_CFLAGS = $(UNIT_CFLAGS)
test_snapshot_LDADD = $(UNIT_LDADD)

check_PROGRAMS += test_request
test_request_SOURCES = tests/unit/test_request.c
test_request_CFLAGS = $(UNIT_CFLAGS)
test_request_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_pac
test_pac_SOURCES = tests/unit/test_pac.c
test_pac_CFLAGS = $(UNIT_CFLAGS)
test_pac_LDADD = $(UNIT_LDADD)
