# make bench: each program prints its figures and what it is measured against. BENCHES names them (automake keeps *_PROGRAMS to itself); the rule
# that runs them is in Makefile.am.
BENCHES += bench_match

bench_match_SOURCES = tests/bench/bench_match.c tests/bench/bench_match_peers.c tests/bench/bench_match.h tests/bench/bench.h
bench_match_CFLAGS = $(AM_CFLAGS) $(HS_CFLAGS)
bench_match_LDADD = libpostern.a $(LIBS_ALL) $(HS_LIBS)

BENCHES += bench_policy
bench_policy_SOURCES = tests/bench/bench_policy.c tests/bench/bench.h
bench_policy_LDADD = libpostern.a $(LIBS_ALL)

BENCHES += bench_log
bench_log_SOURCES = tests/bench/bench_log.c
bench_log_LDADD = libpostern.a $(LIBS_ALL)

BENCHES += bench_parse
bench_parse_SOURCES = tests/bench/bench_parse.c
bench_parse_LDADD = libpostern.a $(LIBS_ALL)

BENCHES += bench_tls
bench_tls_SOURCES = tests/bench/bench_tls.c tests/bench/bench.h tests/unit/tls_parts.h
bench_tls_LDADD = libpostern.a $(LIBS_ALL)

BENCHES += bench_mint
bench_mint_SOURCES = tests/bench/bench_mint.c tests/bench/bench.h
bench_mint_LDADD = libpostern.a $(LIBS_ALL)

# The load of bench_auth.sh, which compares authentication with Squid's in a test domain.
EXTRA_PROGRAMS += auth_load
auth_load_SOURCES = tests/bench/auth_load.c
auth_load_LDADD = $(NETTLE_LIBS) $(KRB5_LIBS)
CLEANFILES += auth_load$(EXEEXT)
bench: bench-auth
bench-auth: auth_load$(EXEEXT) postern$(EXEEXT)
	@echo "== bench_auth"; $(srcdir)/tests/bench/bench_auth.sh .
.PHONY: bench-auth

# What man/postern-sizing.7 says of memory and logs.
bench: bench-sizing
bench-sizing: postern$(EXEEXT)
	@echo "== bench_sizing"; $(PYTHON3) $(srcdir)/tests/bench/bench_sizing.py .
.PHONY: bench-sizing

# A front for clients of others (nghttp, h2load, curl): make h2_server.
EXTRA_PROGRAMS += h2_server
h2_server_SOURCES = tests/bench/h2_server.c tests/unit/h2_owner.c tests/unit/h2_owner.h
h2_server_CFLAGS = $(AM_CFLAGS)
h2_server_LDADD = libpostern.a $(LIBS_ALL)
CLEANFILES += h2_server$(EXEEXT)

# The load of bench_inspect.sh, which compares inspection with nginx's ending and beginning TLS anew.
EXTRA_PROGRAMS += inspect_load
inspect_load_SOURCES = tests/bench/inspect_load.c
inspect_load_LDADD = $(LIBS_ALL)
CLEANFILES += inspect_load$(EXEEXT)
bench: bench-inspect
bench-inspect: inspect_load$(EXEEXT) postern$(EXEEXT)
	@echo "== bench_inspect"; $(srcdir)/tests/bench/bench_inspect.sh .
.PHONY: bench-inspect

# What limits cost those who have none.
bench: bench-limits
bench-limits: postern$(EXEEXT)
	@echo "== bench_limits"; $(srcdir)/tests/bench/bench_limits.sh .
.PHONY: bench-limits

# What reloads, the status page, metrics and commands cost traffic.
EXTRA_PROGRAMS += tunnel_ping
tunnel_ping_SOURCES = tests/bench/tunnel_ping.c
tunnel_ping_LDADD = -lpthread
CLEANFILES += tunnel_ping$(EXEEXT)
bench: bench-reload
bench-reload: tunnel_ping$(EXEEXT) postern$(EXEEXT)
	@echo "== bench_reload"; $(srcdir)/tests/bench/bench_reload.sh .
.PHONY: bench-reload

# What one tunnel and one request cost with everything on, in instructions and system calls.
bench: bench-edge
bench-edge: tunnel_ping$(EXEEXT) postern$(EXEEXT)
	@echo "== bench_edge"; $(srcdir)/tests/bench/bench_edge.sh .
.PHONY: bench-edge

# What replay needs for a million lines. Its configuration and logs are made by the script.
bench: bench-replay
bench-replay: postern$(EXEEXT)
	@echo "== bench_replay"; $(PYTHON3) $(srcdir)/tests/bench/bench_replay.py .
.PHONY: bench-replay
