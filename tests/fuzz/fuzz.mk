# libFuzzer targets and the program that replays their corpus
check_PROGRAMS += replay_record
replay_record_SOURCES = tests/fuzz/fuzz_record.c tests/fuzz/replay.c
replay_record_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS=\"tests/fuzz/corpus/record\"
replay_record_LDADD = libpostern.a $(LIBS_ALL)
if FUZZING
noinst_PROGRAMS += fuzz_record
fuzz_record_SOURCES = tests/fuzz/fuzz_record.c
fuzz_record_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_record_LDADD = libpostern.a $(LIBS_ALL)
noinst_PROGRAMS += fuzz_dns_answer
fuzz_dns_answer_SOURCES = tests/fuzz/fuzz_dns_answer.c
fuzz_dns_answer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_dns_answer_LDADD = libpostern.a $(LIBS_ALL)
endif
