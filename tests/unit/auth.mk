# unit tests of auth/
check_PROGRAMS += test_challenge test_credential test_ntlm test_ntlm_proof test_spnego
test_challenge_SOURCES = tests/unit/test_challenge.c tests/unit/block.h
test_challenge_CFLAGS = $(UNIT_CFLAGS)
test_challenge_LDADD = $(UNIT_LDADD)
test_credential_SOURCES = tests/unit/test_credential.c tests/unit/block.h tests/unit/ntlm_messages.h
test_credential_CFLAGS = $(UNIT_CFLAGS)
test_credential_LDADD = $(UNIT_LDADD)
test_ntlm_SOURCES = tests/unit/test_ntlm.c tests/unit/block.h tests/unit/ntlm_messages.h
test_ntlm_CFLAGS = $(UNIT_CFLAGS)
test_ntlm_LDADD = $(UNIT_LDADD)
test_ntlm_proof_SOURCES = tests/unit/test_ntlm_proof.c tests/unit/block.h tests/unit/ntlm_messages.h
test_ntlm_proof_CFLAGS = $(UNIT_CFLAGS)
test_ntlm_proof_LDADD = $(UNIT_LDADD)
test_spnego_SOURCES = tests/unit/test_spnego.c tests/unit/block.h
test_spnego_CFLAGS = $(UNIT_CFLAGS)
test_spnego_LDADD = $(UNIT_LDADD)
