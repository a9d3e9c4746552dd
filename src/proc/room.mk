# files of this room
libpostern_a_SOURCES += \
	src/proc/logger.c src/proc/logger.h
