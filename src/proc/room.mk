libpostern_a_SOURCES += \
	src/proc/authd.c \
	src/proc/census.c src/proc/census.h \
	src/proc/child.c src/proc/child.h \
	src/proc/crew.c src/proc/crew.h \
	src/proc/bureaus.c src/proc/bureaus.h \
	src/proc/keys.c src/proc/keys.h \
	src/proc/logger.c src/proc/logger.h \
	src/proc/logger_main.c \
	src/proc/member.c src/proc/member.h \
	src/proc/parent.c src/proc/parent.h \
	src/proc/ports.c src/proc/ports.h \
	src/proc/roles.c src/proc/roles.h \
	src/proc/sandbox.c src/proc/sandbox.h \
	src/proc/signer.c \
	src/proc/signer_ca.c src/proc/signer_ca.h \
	src/proc/signer_peers.c src/proc/signer_peers.h \
	src/proc/worker.c
