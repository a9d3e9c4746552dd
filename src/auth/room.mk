# files of this room are named here, one a line, as in the others
libpostern_a_SOURCES += \
	src/auth/ask.h \
	src/auth/back.h
libpostern_a_SOURCES += \
	src/auth/breaker.c src/auth/breaker.h \
	src/auth/desk.c src/auth/desk.h \
	src/auth/lockout.c src/auth/lockout.h \
	src/auth/office.c src/auth/office.h \
	src/auth/wire.c src/auth/wire.h
