libpostern_a_SOURCES += \
	src/base/addr.c src/base/addr.h \
	src/base/array.h \
	src/base/clock.c src/base/clock.h \
	src/base/fault.c src/base/fault.h \
	src/base/flat.c src/base/flat.h \
	src/base/log.c src/base/log.h \
	src/base/text.c src/base/text.h \
	src/base/span.h
