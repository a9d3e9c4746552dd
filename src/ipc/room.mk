libpostern_a_SOURCES += \
	src/ipc/channel.c src/ipc/channel.h \
	src/ipc/shared.c src/ipc/shared.h
