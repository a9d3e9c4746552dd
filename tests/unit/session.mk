# unit tests of session/
check_PROGRAMS += test_consent
test_consent_SOURCES = tests/unit/test_consent.c
test_consent_CFLAGS = $(UNIT_CFLAGS)
test_consent_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_effects
test_effects_SOURCES = tests/unit/test_effects.c
test_effects_CFLAGS = $(UNIT_CFLAGS)
test_effects_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_page
test_page_SOURCES = tests/unit/test_page.c
test_page_CFLAGS = $(UNIT_CFLAGS)
test_page_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_unserved
test_unserved_SOURCES = tests/unit/test_unserved.c
test_unserved_CFLAGS = $(UNIT_CFLAGS)
test_unserved_LDADD = $(UNIT_LDADD)

check_PROGRAMS += test_sizes
test_sizes_SOURCES = tests/unit/test_sizes.c
test_sizes_CFLAGS = $(UNIT_CFLAGS)
test_sizes_LDADD = $(UNIT_LDADD)
