# make bench
BENCHES += bench_log
bench_log_SOURCES = tests/bench/bench_log.c
bench_log_LDADD = libpostern.a $(LIBS_ALL)
