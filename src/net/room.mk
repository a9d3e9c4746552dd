libpostern_a_SOURCES += \
	src/net/loop.c src/net/loop.h
