# files of this room
postern_SOURCES += \
	src/cli/check.c \
	src/cli/cli.c src/cli/cli.h \
	src/cli/explain.c \
	src/cli/run.c
