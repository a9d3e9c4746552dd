# files of this room are named here, one a line, as in the others
libpostern_a_SOURCES += \
	src/auth/ask.h \
	src/auth/back.h \
	src/auth/challenge.c src/auth/challenge.h \
	src/auth/credential.c src/auth/credential.h \
	src/auth/ntlm.c src/auth/ntlm.h \
	src/auth/ntlm_proof.c src/auth/ntlm_proof.h \
	src/auth/ntlm_text.c src/auth/ntlm_text.h \
	src/auth/spnego.c src/auth/spnego.h
