# policy tables
check_PROGRAMS += run_tables
run_tables_SOURCES = tests/tables/run_tables.c
run_tables_LDADD = libpostern.a $(LIBS_ALL)
