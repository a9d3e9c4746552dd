# files of this room
libpostern_a_SOURCES += \
	src/logread/entry.c src/logread/entry.h \
	src/logread/line.h \
	src/logread/line_json.c \
	src/logread/line_squid.c \
	src/logread/reader.c src/logread/reader.h \
	src/logread/source.c src/logread/source.h
