libpostern_a_SOURCES += \
	src/session/authenticate.c \
	src/session/buf.c src/session/buf.h \
	src/session/challenge_fields.c \
	src/session/compose.h \
	src/session/consent.c src/session/consent.h \
	src/session/count.c src/session/count.h \
	src/session/drain.c \
	src/session/effects.c src/session/effects.h \
	src/session/forward.c \
	src/session/gate.c \
	src/session/gateway.c src/session/gateway.h \
	src/session/greet.c src/session/greet.h \
	src/session/head.c \
	src/session/health.c src/session/health.h \
	src/session/inside.c src/session/inside.h \
	src/session/inspect.c src/session/inspect.h \
	src/session/list.c src/session/list.h \
	src/session/listener_tls.c src/session/listener_tls.h \
	src/session/logon.c src/session/logon.h \
	src/session/odd.c \
	src/session/origin.c src/session/origin.h \
	src/session/origin_tls.c \
	src/session/pac.c \
	src/session/page.c src/session/page.h \
	src/session/parent.c \
	src/session/pass.c src/session/pass.h \
	src/session/peek.c \
	src/session/queue.c src/session/queue.h \
	src/session/reach.c src/session/reach.h \
	src/session/reach_parent.c \
	src/session/record.c \
	src/session/reply.c \
	src/session/response.c \
	src/session/session.c src/session/session.h \
	src/session/streams.c \
	src/session/target.c src/session/target.h \
	src/session/throttle.c src/session/throttle.h \
	src/session/tunnel.c \
	src/session/unserved.c src/session/unserved.h \
	src/session/way.c src/session/way.h
