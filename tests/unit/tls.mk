# unit tests of tls/
check_PROGRAMS += test_leaf_wire
test_leaf_wire_SOURCES = tests/unit/test_leaf_wire.c
test_leaf_wire_CFLAGS = $(UNIT_CFLAGS)
test_leaf_wire_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_mint
test_mint_SOURCES = tests/unit/test_mint.c
test_mint_CFLAGS = $(UNIT_CFLAGS)
test_mint_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_leaf
test_leaf_SOURCES = tests/unit/test_leaf.c
test_leaf_CFLAGS = $(UNIT_CFLAGS)
test_leaf_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_lru
test_lru_SOURCES = tests/unit/test_lru.c
test_lru_CFLAGS = $(UNIT_CFLAGS)
test_lru_LDADD = $(UNIT_LDADD)
