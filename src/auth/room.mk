# files of this room are named here, one a line, as in the others
libpostern_a_SOURCES += \
	src/auth/ask.h \
	src/auth/back.h
