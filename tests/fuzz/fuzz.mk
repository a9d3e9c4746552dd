# libFuzzer targets and the program that replays their corpus
if FUZZING
noinst_PROGRAMS += fuzz_dns_answer
fuzz_dns_answer_SOURCES = tests/fuzz/fuzz_dns_answer.c
fuzz_dns_answer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_dns_answer_LDADD = libpostern.a $(LIBS_ALL)
endif
