# files of this room are named here, one a line, as in the others
libpostern_a_SOURCES += \
	src/auth/ask.h \
	src/auth/back.h
libpostern_a_SOURCES += \
	src/auth/basic_cache.c src/auth/basic_cache.h \
	src/auth/handshake.c src/auth/handshake.h \
	src/auth/identity.c src/auth/identity.h
