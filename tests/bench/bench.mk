# make bench: each program prints its figures and what it is measured against
BENCH_PROGRAMS = bench_match
EXTRA_PROGRAMS += $(BENCH_PROGRAMS)
CLEANFILES += $(BENCH_PROGRAMS)

bench_match_SOURCES = tests/bench/bench_match.c tests/bench/bench_match_peers.c tests/bench/bench_match.h tests/bench/bench.h
bench_match_CFLAGS = $(AM_CFLAGS) $(HS_CFLAGS)
bench_match_LDADD = libpostern.a $(LIBS_ALL) $(HS_LIBS)

bench: $(BENCH_PROGRAMS)
	@for p in $(BENCH_PROGRAMS); do ./$$p || exit 1; done
.PHONY: bench
