# files of this room
libpostern_a_SOURCES += \
	src/logread/entry.h \
	src/logread/reader.h
