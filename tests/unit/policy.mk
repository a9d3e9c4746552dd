# unit tests of policy/
check_PROGRAMS += test_policy
test_policy_SOURCES = tests/unit/test_policy.c
test_policy_CFLAGS = $(UNIT_CFLAGS)
test_policy_LDADD = $(UNIT_LDADD)
