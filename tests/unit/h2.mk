# unit tests of h2/
check_PROGRAMS += test_h2_rules
test_h2_rules_SOURCES = tests/unit/test_h2_rules.c tests/unit/h2_owner.c tests/unit/h2_owner.h
test_h2_rules_CFLAGS = $(UNIT_CFLAGS)
test_h2_rules_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_front
test_front_SOURCES = tests/unit/test_front.c tests/unit/h2_owner.c tests/unit/h2_owner.h tests/unit/h2_peer.c tests/unit/h2_peer.h
test_front_CFLAGS = $(UNIT_CFLAGS)
test_front_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_rear
test_rear_SOURCES = tests/unit/test_rear.c tests/unit/h2_peer.c tests/unit/h2_peer.h
test_rear_CFLAGS = $(UNIT_CFLAGS)
test_rear_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_h2_translate
test_h2_translate_SOURCES = tests/unit/test_h2_translate.c
test_h2_translate_CFLAGS = $(UNIT_CFLAGS)
test_h2_translate_LDADD = $(UNIT_LDADD)
