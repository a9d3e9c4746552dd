# unit tests of doctor/
check_PROGRAMS += test_doctor
test_doctor_SOURCES = tests/unit/test_doctor.c
test_doctor_CFLAGS = $(UNIT_CFLAGS)
test_doctor_LDADD = $(UNIT_LDADD)
