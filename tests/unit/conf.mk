# unit tests of conf/
check_PROGRAMS += test_conf test_conf_files test_conf_parts test_conf_key_uri test_conf_line test_conf_list test_conf_memory test_conf_option test_conf_value test_outline
test_conf_SOURCES = tests/unit/test_conf.c tests/unit/cert_files.h tests/unit/conf_dir.h tests/unit/conf_report.h
test_conf_CFLAGS = $(UNIT_CFLAGS)
test_conf_LDADD = $(UNIT_LDADD)
test_conf_files_SOURCES = tests/unit/test_conf_files.c tests/unit/cert_files.h tests/unit/conf_dir.h tests/unit/conf_report.h
test_conf_files_CFLAGS = $(UNIT_CFLAGS)
test_conf_files_LDADD = $(UNIT_LDADD)
test_conf_parts_SOURCES = tests/unit/test_conf_parts.c tests/unit/cert_files.h tests/unit/conf_dir.h tests/unit/conf_report.h
test_conf_parts_CFLAGS = $(UNIT_CFLAGS)
test_conf_parts_LDADD = $(UNIT_LDADD)
test_conf_key_uri_SOURCES = tests/unit/test_conf_key_uri.c
test_conf_key_uri_CFLAGS = $(UNIT_CFLAGS)
test_conf_key_uri_LDADD = $(UNIT_LDADD)
test_conf_line_SOURCES = tests/unit/test_conf_line.c
test_conf_line_CFLAGS = $(UNIT_CFLAGS)
test_conf_line_LDADD = $(UNIT_LDADD)
test_conf_list_SOURCES = tests/unit/test_conf_list.c tests/unit/conf_dir.h
test_conf_list_CFLAGS = $(UNIT_CFLAGS)
test_conf_list_LDADD = $(UNIT_LDADD)
test_conf_memory_SOURCES = tests/unit/test_conf_memory.c tests/unit/conf_dir.h
test_conf_memory_CFLAGS = $(UNIT_CFLAGS)
test_conf_memory_LDADD = $(UNIT_LDADD)
test_conf_memory_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=vasprintf
test_conf_option_SOURCES = tests/unit/test_conf_option.c
test_conf_option_CFLAGS = $(UNIT_CFLAGS)
test_conf_option_LDADD = $(UNIT_LDADD)
test_outline_SOURCES = tests/unit/test_outline.c
test_outline_CFLAGS = $(UNIT_CFLAGS)
test_outline_LDADD = $(UNIT_LDADD)
test_conf_value_SOURCES = tests/unit/test_conf_value.c
test_conf_value_CFLAGS = $(UNIT_CFLAGS)
test_conf_value_LDADD = $(UNIT_LDADD)
# the manuals and the sample against the tables
check_PROGRAMS += test_docs
test_docs_SOURCES = tests/unit/test_docs.c
test_docs_CFLAGS = $(UNIT_CFLAGS)
test_docs_LDADD = $(UNIT_LDADD)
# certificates and CRLs
check_PROGRAMS += test_certificate
test_certificate_SOURCES = tests/unit/test_certificate.c tests/unit/cert_files.h tests/unit/conf_dir.h
test_certificate_CFLAGS = $(UNIT_CFLAGS)
test_certificate_LDADD = $(UNIT_LDADD)
