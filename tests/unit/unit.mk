# Unit tests: one program for each file under test; each links libpostern.a and cmocka.
UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
UNIT_LDADD = libpostern.a $(CMOCKA_LIBS) $(LIBS_ALL)

include tests/unit/base.mk
include tests/unit/parse.mk
include tests/unit/match.mk
include tests/unit/conf.mk
include tests/unit/policy.mk
include tests/unit/net.mk
include tests/unit/ipc.mk
include tests/unit/tls.mk
include tests/unit/h2.mk
include tests/unit/authd.mk
include tests/unit/auth.mk
include tests/unit/backs.mk
include tests/unit/audit.mk
include tests/unit/session.mk
include tests/unit/lint.mk
include tests/unit/doctor.mk
include tests/unit/import.mk
include tests/unit/logread.mk
include tests/unit/verify.mk
include tests/unit/proc.mk
