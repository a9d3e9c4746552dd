libpostern_a_SOURCES += \
	src/net/lane.c src/net/lane.h \
	src/net/loop.c src/net/loop.h \
	src/net/outbox.c src/net/outbox.h \
	src/net/sock.c src/net/sock.h
