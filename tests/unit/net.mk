# unit tests of net/
check_PROGRAMS += test_loop
test_loop_SOURCES = tests/unit/test_loop.c
test_loop_CFLAGS = $(UNIT_CFLAGS)
test_loop_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_resolve
test_resolve_SOURCES = tests/unit/test_resolve.c tests/unit/dns_server.c tests/unit/dns_server.h
test_resolve_CFLAGS = $(UNIT_CFLAGS)
test_resolve_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_dial
test_dial_SOURCES = tests/unit/test_dial.c
test_dial_CFLAGS = $(UNIT_CFLAGS)
test_dial_LDADD = $(UNIT_LDADD)
check_PROGRAMS += test_listener
test_listener_SOURCES = tests/unit/test_listener.c
test_listener_CFLAGS = $(UNIT_CFLAGS)
test_listener_LDADD = $(UNIT_LDADD)
