# libFuzzer targets, and the programs that replay their corpus in make check.
# A target NAME is tests/fuzz/fuzz_NAME.c and tests/fuzz/corpus/NAME/. replay_NAME is always built and tested; fuzz_NAME only with
# --enable-fuzzing, and it is no test: run it by hand with a corpus directory of your own first and tests/fuzz/corpus/NAME behind it.
FUZZ_LIBS = libpostern.a $(LIBS_ALL)
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer

check_PROGRAMS += replay_ap_req
replay_ap_req_SOURCES = tests/fuzz/fuzz_ap_req.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_ap_req_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_ap_req
fuzz_ap_req_SOURCES = tests/fuzz/fuzz_ap_req.c tests/fuzz/fuzz.h
fuzz_ap_req_LDADD = $(FUZZ_LIBS)
fuzz_ap_req_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_authority
replay_authority_SOURCES = tests/fuzz/fuzz_authority.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_authority_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_authority
fuzz_authority_SOURCES = tests/fuzz/fuzz_authority.c tests/fuzz/fuzz.h
fuzz_authority_LDADD = $(FUZZ_LIBS)
fuzz_authority_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_body
replay_body_SOURCES = tests/fuzz/fuzz_body.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_body_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_body
fuzz_body_SOURCES = tests/fuzz/fuzz_body.c tests/fuzz/fuzz.h
fuzz_body_LDADD = $(FUZZ_LIBS)
fuzz_body_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_squid
replay_squid_SOURCES = tests/fuzz/fuzz_squid.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_squid_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_squid
fuzz_squid_SOURCES = tests/fuzz/fuzz_squid.c tests/fuzz/fuzz.h
fuzz_squid_LDADD = $(FUZZ_LIBS)
fuzz_squid_LDFLAGS = $(FUZZ_LINK)
endif
check_PROGRAMS += replay_cidr
replay_cidr_SOURCES = tests/fuzz/fuzz_cidr.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_cidr_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_cidr
fuzz_cidr_SOURCES = tests/fuzz/fuzz_cidr.c tests/fuzz/fuzz.h
fuzz_cidr_LDADD = $(FUZZ_LIBS)
fuzz_cidr_LDFLAGS = $(FUZZ_LINK)
endif
check_PROGRAMS += replay_proxy_header
replay_proxy_header_SOURCES = tests/fuzz/fuzz_proxy_header.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_proxy_header_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_proxy_header
fuzz_proxy_header_SOURCES = tests/fuzz/fuzz_proxy_header.c tests/fuzz/fuzz.h
fuzz_proxy_header_LDADD = $(FUZZ_LIBS)
fuzz_proxy_header_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_credential
replay_credential_SOURCES = tests/fuzz/fuzz_credential.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_credential_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_credential
fuzz_credential_SOURCES = tests/fuzz/fuzz_credential.c tests/fuzz/fuzz.h
fuzz_credential_LDADD = $(FUZZ_LIBS)
fuzz_credential_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_h2_head
replay_h2_head_SOURCES = tests/fuzz/fuzz_h2_head.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_h2_head_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_h2_head
fuzz_h2_head_SOURCES = tests/fuzz/fuzz_h2_head.c tests/fuzz/fuzz.h
fuzz_h2_head_LDADD = $(FUZZ_LIBS)
fuzz_h2_head_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_h2_front
replay_h2_front_SOURCES = tests/fuzz/fuzz_h2_front.c tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/h2_pipe.h tests/unit/h2_owner.c tests/unit/h2_owner.h
replay_h2_front_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_h2_front
fuzz_h2_front_SOURCES = tests/fuzz/fuzz_h2_front.c tests/fuzz/fuzz.h tests/fuzz/h2_pipe.h tests/unit/h2_owner.c tests/unit/h2_owner.h
fuzz_h2_front_LDADD = $(FUZZ_LIBS)
fuzz_h2_front_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_h2_rear
replay_h2_rear_SOURCES = tests/fuzz/fuzz_h2_rear.c tests/fuzz/replay.c tests/fuzz/fuzz.h tests/fuzz/h2_pipe.h
replay_h2_rear_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_h2_rear
fuzz_h2_rear_SOURCES = tests/fuzz/fuzz_h2_rear.c tests/fuzz/fuzz.h tests/fuzz/h2_pipe.h
fuzz_h2_rear_LDADD = $(FUZZ_LIBS)
fuzz_h2_rear_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_head
replay_head_SOURCES = tests/fuzz/fuzz_head.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_head_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_head
fuzz_head_SOURCES = tests/fuzz/fuzz_head.c tests/fuzz/fuzz.h
fuzz_head_LDADD = $(FUZZ_LIBS)
fuzz_head_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_hello
replay_hello_SOURCES = tests/fuzz/fuzz_hello.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_hello_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_hello
fuzz_hello_SOURCES = tests/fuzz/fuzz_hello.c tests/fuzz/fuzz.h
fuzz_hello_LDADD = $(FUZZ_LIBS)
fuzz_hello_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_hostname
replay_hostname_SOURCES = tests/fuzz/fuzz_hostname.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_hostname_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_hostname
fuzz_hostname_SOURCES = tests/fuzz/fuzz_hostname.c tests/fuzz/fuzz.h
fuzz_hostname_LDADD = $(FUZZ_LIBS)
fuzz_hostname_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_certificate
replay_certificate_SOURCES = tests/fuzz/fuzz_certificate.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_certificate_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_certificate
fuzz_certificate_SOURCES = tests/fuzz/fuzz_certificate.c tests/fuzz/fuzz.h
fuzz_certificate_LDADD = $(FUZZ_LIBS)
fuzz_certificate_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_ntlm
replay_ntlm_SOURCES = tests/fuzz/fuzz_ntlm.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_ntlm_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_ntlm
fuzz_ntlm_SOURCES = tests/fuzz/fuzz_ntlm.c tests/fuzz/fuzz.h
fuzz_ntlm_LDADD = $(FUZZ_LIBS)
fuzz_ntlm_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_record
replay_record_SOURCES = tests/fuzz/fuzz_record.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_record_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_record
fuzz_record_SOURCES = tests/fuzz/fuzz_record.c tests/fuzz/fuzz.h
fuzz_record_LDADD = $(FUZZ_LIBS)
fuzz_record_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_regex_plain
replay_regex_plain_SOURCES = tests/fuzz/fuzz_regex_plain.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_regex_plain_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_regex_plain
fuzz_regex_plain_SOURCES = tests/fuzz/fuzz_regex_plain.c tests/fuzz/fuzz.h
fuzz_regex_plain_LDADD = $(FUZZ_LIBS)
fuzz_regex_plain_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_spnego
replay_spnego_SOURCES = tests/fuzz/fuzz_spnego.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_spnego_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_spnego
fuzz_spnego_SOURCES = tests/fuzz/fuzz_spnego.c tests/fuzz/fuzz.h
fuzz_spnego_LDADD = $(FUZZ_LIBS)
fuzz_spnego_LDFLAGS = $(FUZZ_LINK)
endif

if FUZZING
noinst_PROGRAMS += fuzz_dns_answer
fuzz_dns_answer_SOURCES = tests/fuzz/fuzz_dns_answer.c
fuzz_dns_answer_LDADD = $(FUZZ_LIBS)
fuzz_dns_answer_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_config
replay_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_config_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_config
fuzz_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/fuzz.h
fuzz_config_LDADD = $(FUZZ_LIBS)
fuzz_config_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_verify
replay_verify_SOURCES = tests/fuzz/fuzz_verify.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_verify_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_verify
fuzz_verify_SOURCES = tests/fuzz/fuzz_verify.c tests/fuzz/fuzz.h
fuzz_verify_LDADD = $(FUZZ_LIBS)
fuzz_verify_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_wire
replay_wire_SOURCES = tests/fuzz/fuzz_wire.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_wire_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_wire
fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c tests/fuzz/fuzz.h
fuzz_wire_LDADD = $(FUZZ_LIBS)
fuzz_wire_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_logon
replay_logon_SOURCES = tests/fuzz/fuzz_logon.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_logon_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_logon
fuzz_logon_SOURCES = tests/fuzz/fuzz_logon.c tests/fuzz/fuzz.h
fuzz_logon_LDADD = $(FUZZ_LIBS)
fuzz_logon_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_url
replay_url_SOURCES = tests/fuzz/fuzz_url.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_url_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_url
fuzz_url_SOURCES = tests/fuzz/fuzz_url.c tests/fuzz/fuzz.h
fuzz_url_LDADD = $(FUZZ_LIBS)
fuzz_url_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_user_file
replay_user_file_SOURCES = tests/fuzz/fuzz_user_file.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_user_file_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_user_file
fuzz_user_file_SOURCES = tests/fuzz/fuzz_user_file.c tests/fuzz/fuzz.h
fuzz_user_file_LDADD = $(FUZZ_LIBS)
fuzz_user_file_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_leaf
replay_leaf_SOURCES = tests/fuzz/fuzz_leaf.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_leaf_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_leaf
fuzz_leaf_SOURCES = tests/fuzz/fuzz_leaf.c tests/fuzz/fuzz.h
fuzz_leaf_LDADD = $(FUZZ_LIBS)
fuzz_leaf_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_log_line
replay_log_line_SOURCES = tests/fuzz/fuzz_log_line.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_log_line_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_log_line
fuzz_log_line_SOURCES = tests/fuzz/fuzz_log_line.c tests/fuzz/fuzz.h
fuzz_log_line_LDADD = $(FUZZ_LIBS)
fuzz_log_line_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_log_file
replay_log_file_SOURCES = tests/fuzz/fuzz_log_file.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_log_file_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_log_file
fuzz_log_file_SOURCES = tests/fuzz/fuzz_log_file.c tests/fuzz/fuzz.h
fuzz_log_file_LDADD = $(FUZZ_LIBS)
fuzz_log_file_LDFLAGS = $(FUZZ_LINK)
endif

check_PROGRAMS += replay_m365
replay_m365_SOURCES = tests/fuzz/fuzz_m365.c tests/fuzz/replay.c tests/fuzz/fuzz.h
replay_m365_LDADD = $(FUZZ_LIBS)
if FUZZING
noinst_PROGRAMS += fuzz_m365
fuzz_m365_SOURCES = tests/fuzz/fuzz_m365.c tests/fuzz/fuzz.h
fuzz_m365_LDADD = $(FUZZ_LIBS)
fuzz_m365_LDFLAGS = $(FUZZ_LINK)
endif
