# files of this room are named here, one a line, as in the others
libpostern_a_SOURCES += \
	src/auth/ad_words.c src/auth/ad_words.h \
	src/auth/ap_req.c src/auth/ap_req.h \
	src/auth/ask.c src/auth/ask.h \
	src/auth/back.c src/auth/back.h src/auth/back_ops.h \
	src/auth/back_basic_file.c \
	src/auth/back_ntlm_file.c \
	src/auth/basic_cache.c src/auth/basic_cache.h \
	src/auth/breaker.c src/auth/breaker.h \
	src/auth/bundle.c src/auth/bundle.h \
	src/auth/challenge.c src/auth/challenge.h \
	src/auth/contexts.c src/auth/contexts.h \
	src/auth/credential.c src/auth/credential.h \
	src/auth/desk.c src/auth/desk.h \
	src/auth/handshake.c src/auth/handshake.h \
	src/auth/identity.c src/auth/identity.h \
	src/auth/ldap_name.c src/auth/ldap_name.h \
	src/auth/lockout.c src/auth/lockout.h src/auth/lockout_fold.c \
	src/auth/ntlm.c src/auth/ntlm.h \
	src/auth/ntlm_back.c src/auth/ntlm_back.h \
	src/auth/ntlm_client.c src/auth/ntlm_client.h \
	src/auth/ntlm_proof.c src/auth/ntlm_proof.h \
	src/auth/ntlm_text.c src/auth/ntlm_text.h \
	src/auth/office.c src/auth/office.h src/auth/office_inside.h src/auth/office_turn.c src/auth/office_work.c \
	src/auth/parent_secret.c src/auth/parent_secret.h \
	src/auth/pool.c src/auth/pool.h \
	src/auth/principal.c src/auth/principal.h \
	src/auth/sid_names.c src/auth/sid_names.h \
	src/auth/spnego.c src/auth/spnego.h \
	src/auth/user_file.c src/auth/user_file.h \
	src/auth/wire.c src/auth/wire.h
# those that configure found libraries for
if HAVE_KERBEROS
libpostern_a_SOURCES += src/auth/back_initiator.c src/auth/back_kerberos.c src/auth/keyring.c src/auth/keyring.h src/auth/pass_ticket.c src/auth/pass_ticket.h
endif
if HAVE_WINBIND
libpostern_a_SOURCES += src/auth/back_winbind.c
endif
if HAVE_LDAP
libpostern_a_SOURCES += src/auth/back_ldap.c
endif
if HAVE_PAM
libpostern_a_SOURCES += src/auth/back_pam.c
endif
