# unit tests of auth/: the back ends
check_PROGRAMS += test_user_file test_back_file test_auth_words
test_user_file_SOURCES = tests/unit/test_user_file.c tests/unit/block.h
test_user_file_CFLAGS = $(UNIT_CFLAGS)
test_user_file_LDADD = $(UNIT_LDADD)
test_back_file_SOURCES = tests/unit/test_back_file.c tests/unit/block.h
test_back_file_CFLAGS = $(UNIT_CFLAGS)
test_back_file_LDADD = $(UNIT_LDADD)
test_auth_words_SOURCES = tests/unit/test_auth_words.c tests/unit/block.h
test_auth_words_CFLAGS = $(UNIT_CFLAGS)
test_auth_words_LDADD = $(UNIT_LDADD)
