# unit tests of h2/
check_PROGRAMS += test_h2_rules
test_h2_rules_SOURCES = tests/unit/test_h2_rules.c tests/unit/h2_owner.c tests/unit/h2_owner.h
test_h2_rules_CFLAGS = $(UNIT_CFLAGS)
test_h2_rules_LDADD = $(UNIT_LDADD)
