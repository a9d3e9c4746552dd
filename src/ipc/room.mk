# files of this room
libpostern_a_SOURCES += \
	src/ipc/ring.c src/ipc/ring.h
