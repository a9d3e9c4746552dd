libpostern_a_SOURCES += \
	src/proc/admin.c src/proc/admin.h \
	src/proc/admin_http.c src/proc/admin_http.h \
	src/proc/admin_main.c \
	src/proc/authd.c \
	src/proc/census.c src/proc/census.h \
	src/proc/child.c src/proc/child.h \
	src/proc/crew.c src/proc/crew.h \
	src/proc/bureaus.c src/proc/bureaus.h \
	src/proc/keys.c src/proc/keys.h \
	src/proc/logger.c src/proc/logger.h \
	src/proc/logger_main.c \
	src/proc/member.c src/proc/member.h \
	src/proc/metrics_text.c src/proc/metrics_text.h \
	src/proc/parent.c src/proc/parent.h \
	src/proc/ports.c src/proc/ports.h \
	src/proc/roles.c src/proc/roles.h \
	src/proc/sandbox.c src/proc/sandbox.h \
	src/proc/secrets.c src/proc/secrets.h \
	src/proc/signer.c \
	src/proc/signer_ca.c src/proc/signer_ca.h \
	src/proc/signer_peers.c src/proc/signer_peers.h \
	src/proc/worker.c
