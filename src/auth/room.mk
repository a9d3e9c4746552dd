# files of this room are named here, one a line, as in the others
libpostern_a_SOURCES += \
	src/auth/ap_req.c src/auth/ap_req.h \
	src/auth/ask.h \
	src/auth/back.h \
	src/auth/back_kerberos.c \
	src/auth/back_ops.h \
	src/auth/contexts.c src/auth/contexts.h \
	src/auth/keyring.c src/auth/keyring.h \
	src/auth/principal.c src/auth/principal.h
