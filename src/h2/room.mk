# one line for each file and its header
libpostern_a_SOURCES += src/h2/translate.h
libpostern_a_SOURCES += src/h2/front.h
libpostern_a_SOURCES += src/h2/rear.h
