libpostern_a_SOURCES += \
	src/net/dial.c \
	src/net/dial.h \
	src/net/lane.c \
	src/net/lane.h \
	src/net/listener.c \
	src/net/listener.h \
	src/net/loop.c \
	src/net/loop.h \
	src/net/outbox.c \
	src/net/outbox.h \
	src/net/resolve.c \
	src/net/resolve.h \
	src/net/resolve_answer.c \
	src/net/resolve_answer.h \
	src/net/resolve_cache.c \
	src/net/resolve_cache.h \
	src/net/resolve_channel.c \
	src/net/resolve_channel.h \
	src/net/resolve_conf.c \
	src/net/resolve_conf.h \
	src/net/resolve_hosts.c \
	src/net/resolve_text.h \
	src/net/side.c \
	src/net/side.h \
	src/net/sock.c \
	src/net/sock.h
