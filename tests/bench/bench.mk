# make bench
EXTRA_PROGRAMS += bench_parse
bench_parse_SOURCES = tests/bench/bench_parse.c
bench_parse_LDADD = libpostern.a $(LIBS_ALL)
CLEANFILES += bench_parse$(EXEEXT)
