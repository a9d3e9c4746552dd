# files of this room
libpostern_a_SOURCES += \
	src/lint/alone.c \
	src/lint/ask.c src/lint/ask.h \
	src/lint/bypass.c \
	src/lint/endpoints.c \
	src/lint/files.c \
	src/lint/lint.c src/lint/lint.h \
	src/lint/lists.c \
	src/lint/moments.c src/lint/moments.h \
	src/lint/parts.h \
	src/lint/patterns.c \
	src/lint/regex.c \
	src/lint/shipped.c src/lint/shipped.h \
	src/lint/ways.c src/lint/ways.h
