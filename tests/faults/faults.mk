# Every call that can fail fails once in turn; see README. Needs a build configured with --enable-fault-injection, and root.
#   make check-faults                      all of them
#   make check-faults FAULTS_SAMPLE=50     every 50th; FAULTS_START in the environment says which is the first (0)
# OpenSSL and nghttp2 are not named but for a few: it is their memory that fails (inject_tls.c).
# The calls of gssapi, krb5 and ldap are in every build's list: where the program is built without them nothing calls them.
FAULTS_SAMPLE = 1
FAULTS_FLAGS =
WRAPPED = malloc calloc realloc reallocarray aligned_alloc strdup strndup vasprintf asprintf open_memstream mmap mremap memfd_create ftruncate \
	open fstat stat lstat access realpath lseek opendir readdir fopen fdopen chdir glob fflush read pread write pwrite \
	mkostemp mkdir flock fchmod fchown chmod chown fsync readlink rename renameat2 unlink dlopen dlsym pthread_create pthread_cond_init setenv \
	epoll_create1 epoll_ctl epoll_wait eventfd inotify_init1 inotify_add_watch signalfd pipe2 dup2 poll fcntl \
	socket socketpair bind listen accept4 connect setsockopt getsockopt getsockname getifaddrs if_nametoindex gethostname \
	recv send recvfrom sendmsg recvmsg splice sendfile shutdown ioctl \
	fork fexecve execve setgroups setresgid setresuid getpwnam getpwuid getgrnam getgrouplist getrlimit setrlimit mlockall sysconf getrandom prctl \
	ini_parse_stream idn2_lookup_u8 psl_latest psl_registrable_domain sd_notify sd_listen_fds sd_is_socket \
	seccomp_init seccomp_attr_set seccomp_load seccomp_rule_add \
	crypt_gensalt_rn crypt_rn gss_indicate_mechs gss_acquire_cred_from gss_set_neg_mechs gss_accept_sec_context gss_display_status \
	krb5_init_context krb5_kt_resolve krb5_kt_start_seq_get krb5_kt_next_entry krb5_kt_add_entry krb5_unparse_name krb5_auth_con_init krb5_rd_req \
	ldap_initialize ldap_set_option ldap_get_option \
	ares_init_options ares_set_servers_ports ares_create_query ares_send \
	pcre2_general_context_create_8 pcre2_match_context_create_8 pcre2_match_data_create_8 pcre2_jit_compile_8 pcre2_jit_stack_create_8 pcre2_callout_enumerate_8 \
	pcre2_match_8 pcre2_serialize_encode_8 pcre2_serialize_decode_8 pcre2_serialize_get_number_of_codes_8 pcre2_compile_8 \
	RAND_bytes X509_sign EVP_PKEY_Q_keygen nghttp2_session_client_new2 nghttp2_session_server_new2 nghttp2_session_callbacks_new nghttp2_option_new
if FAULT_INJECTION
postern_SOURCES += tests/faults/inject.c tests/faults/inject.h tests/faults/inject_tls.c
postern_LDFLAGS = $(AM_LDFLAGS) $(WRAPPED:%=-Wl,--wrap=%)
check-faults: postern
	@cd $(srcdir) && PYTHONDONTWRITEBYTECODE=1 POSTERN="$(abs_builddir)/postern" POSTERN_WRAPPED="$(WRAPPED)" \
	  $(PYTHON3) tests/faults/run_faults.py --sample "$(FAULTS_SAMPLE)" $(FAULTS_FLAGS)
else
check-faults:
	@echo "this build has no fault injection: configure --enable-fault-injection" >&2; exit 1
endif
.PHONY: check-faults
