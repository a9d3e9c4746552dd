libpostern_a_SOURCES += \
	src/ipc/census.h \
	src/ipc/channel.c src/ipc/channel.h \
	src/ipc/evidence.c src/ipc/evidence.h \
	src/ipc/failures.c src/ipc/failures.h \
	src/ipc/hits.c src/ipc/hits.h \
	src/ipc/latest.h \
	src/ipc/limits.c src/ipc/limits.h \
	src/ipc/metrics.c src/ipc/metrics.h \
	src/ipc/names.c src/ipc/names.h \
	src/ipc/parents.c src/ipc/parents.h \
	src/ipc/ring.c src/ipc/ring.h \
	src/ipc/shared.c src/ipc/shared.h \
	src/ipc/slots.c src/ipc/slots.h \
	src/ipc/top.c src/ipc/top.h
