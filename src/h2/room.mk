# one line for each file and its header
libpostern_a_SOURCES += src/h2/translate.h
libpostern_a_SOURCES += src/h2/front.h
libpostern_a_SOURCES += src/h2/rear.h
libpostern_a_SOURCES += src/h2/translate.c
libpostern_a_SOURCES += src/h2/flood.c src/h2/flood.h
libpostern_a_SOURCES += src/h2/link.c src/h2/link.h
libpostern_a_SOURCES += src/h2/stream.c
libpostern_a_SOURCES += src/h2/stream_send.c
libpostern_a_SOURCES += src/h2/front.c
libpostern_a_SOURCES += src/h2/rear.c
