/* SPDX-License-Identifier: MIT */
/*
 * inject: stands between the program and every call that can fail (the linker's --wrap; the names are in faults.mk), and has one of them fail.
 *   POSTERN_FAIL=ROLE:N[/VARIANT]            the N-th wrapped call of that role (parent, forked, worker, logger, auth, signer, admin, doctor, command)
 *   POSTERN_FAIL=ROLE:FUNCTION:N[/VARIANT]   the N-th call of that function; FUNCTION@SITE: from that place in the program (hexadecimal);
 *                                            LIBRARY@SITE.PATH: that allocation of OpenSSL or nghttp2 (inject_tls.c)
 *   POSTERN_FAIL_LOG=FILE                    every call is written down there, in a file as large as its maker likes (struct log)
 * FILE is shared by all processes of one gateway: calls are counted over all workers that there ever were, so that just one call fails. Without it each
 * process counts for itself. A variant is another way for the same call to fail; 0 is the first.
 * Leaves judging what happens to run_faults.py.
 */
#include "inject.h"

#include <ares.h>
#include <crypt.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <idn2.h>
#include <ifaddrs.h>
#include <ini.h>
#include <libpsl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <dirent.h>
#include <pcre2.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif
#ifdef HAVE_KERBEROS
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#endif
#ifdef HAVE_LDAP
#include <ldap.h>
#endif

enum { ROLE_NONE, ROLE_PARENT, ROLE_FORKED, ROLE_WORKER, ROLE_LOGGER, ROLE_AUTH, ROLE_SIGNER, ROLE_ADMIN, ROLE_DOCTOR, ROLE_COMMAND, ROLES };
static const char *const role_names[ROLES] = {"", "parent", "forked", "worker", "logger", "auth", "signer", "admin", "doctor", "command"};

/* As run_faults.py reads it. */
struct entry {
	char     role[8], function[32];
	uint32_t variants, failed; /* failed: variant + 1 */
	uint64_t site;             /* return address, less where the program begins */
	uint64_t path;             /* how a library came to its allocation; 0: a call of the program's own */
};

struct log {
	_Atomic uint32_t n;
	_Atomic uint32_t seen; /* calls that were asked for */
	struct entry     entry[];
};

static struct log  own;
static struct log *calls = &own;
static uint32_t    room;
static unsigned    role = ROLE_NONE;

static unsigned wanted_role = ROLE_NONE, wanted_n, wanted_variant;
static char     wanted_function[32]; /* "": any */
static uint64_t wanted_site, wanted_path; /* 0: any */

/* Places within libraries that this process has been at. */
#define PLACES 32768
static struct {
	uint64_t site;
	uint32_t path;
} places[PLACES];

#define EDGES 8192
static struct {
	int                epoll;
	struct epoll_event event;
} edges[EDGES];

#define REAL(ret, name, ...)          \
	ret __real_##name(__VA_ARGS__); \
	ret __wrap_##name(__VA_ARGS__)

REAL(int, open, const char *path, int flags, ...);
REAL(ssize_t, write, int fd, const void *p, size_t n);
REAL(void *, mmap, void *at, size_t n, int prot, int flags, int fd, off_t off);
REAL(int, fstat, int fd, struct stat *st);
REAL(int, epoll_ctl, int epoll, int op, int fd, struct epoll_event *e);

/* --- who, and which call --- */

static void
read_wish(const char *text)
{
	char  copy[120], *colon, *slash, *place, *end, *function = NULL;
	char *at = copy;

	if (strlen(text) >= sizeof copy)
		return;
	strcpy(copy, text);
	if ((slash = strchr(copy, '/'))) {
		*slash = '\0';
		wanted_variant = (unsigned)strtoul(slash + 1, NULL, 10);
	}
	if (!(colon = strchr(at, ':')))
		return;
	*colon = '\0';
	for (unsigned i = 1; i < ROLES; i++)
		if (strcmp(at, role_names[i]) == 0)
			wanted_role = i;
	at = colon + 1;
	if ((colon = strchr(at, ':'))) {
		*colon = '\0';
		function = at;
		at = colon + 1;
	}
	if (function && (place = strchr(function, '@'))) {
		*place = '\0';
		wanted_site = strtoull(place + 1, &end, 16);
		if (*end == '.')
			wanted_path = strtoull(end + 1, NULL, 16);
	}
	if (function)
		snprintf(wanted_function, sizeof wanted_function, "%s", function);
	wanted_n = (unsigned)strtoul(at, NULL, 10);
}

static unsigned
child_role(const char *name)
{
	for (unsigned i = ROLE_WORKER; i < ROLE_COMMAND; i++)
		if (strcmp(name, role_names[i]) == 0)
			return i;
	return ROLE_LOGGER;
}

static void __attribute__((constructor))
begin(int argc, char **argv)
{
	const char *wish = getenv("POSTERN_FAIL"), *file = getenv("POSTERN_FAIL_LOG");
	struct stat st;
	void       *p;
	int         fd;

	if (argc < 2 || (!wish && !file))
		return;
	role = strcmp(argv[1], "run") == 0 ? ROLE_PARENT : ROLE_COMMAND;
	if (argc > 2 && strcmp(argv[1], "--child") == 0)
		role = child_role(argv[2]);
	if (wish)
		read_wish(wish);
	inject_tls_begin();
	fd = file ? __real_open(file, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	if (__real_fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof *calls) {
		p = __real_mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED) {
			calls = p;
			room = (uint32_t)(((size_t)st.st_size - sizeof *calls) / sizeof *calls->entry);
		}
	}
	close(fd);
}

static bool
is_wanted(const char *function, uint64_t at, uint32_t path)
{
	return role == wanted_role && (!*wanted_function || strcmp(function, wanted_function) == 0) && (!wanted_site || at == wanted_site) &&
	       (!wanted_path || path == wanted_path);
}

static uint64_t
offset(const void *site)
{
	return (uint64_t)(uintptr_t)site - (uint64_t)(uintptr_t)__executable_start;
}

static bool
is_the_one(const char *function, uint64_t at, uint32_t path)
{
	return is_wanted(function, at, path) && atomic_fetch_add(&calls->seen, 1) + 1 == wanted_n;
}

static void
write_down(const char *function, unsigned variants, uint64_t at, uint32_t path, int variant)
{
	uint32_t i;
	char     line[128];

	if (variant >= 0) {
		int n = snprintf(line, sizeof line, "inject: %s: %s number %u fails, variant %u\n", role_names[role], function, wanted_n, wanted_variant);
		if (__real_write(STDERR_FILENO, line, (size_t)n) < 0)
			return;
	}
	if (room && (i = atomic_fetch_add(&calls->n, 1)) < room) {
		struct entry *e = &calls->entry[i];
		snprintf(e->role, sizeof e->role, "%s", role_names[role]);
		snprintf(e->function, sizeof e->function, "%s", function);
		e->variants = variants;
		e->failed = (uint32_t)(variant + 1);
		e->site = at;
		e->path = path;
	}
}

int
inject_fails(const char *function, unsigned variants, const void *site)
{
	int saved = errno, variant = -1;

	if (role == ROLE_NONE)
		return -1;
	if (is_the_one(function, offset(site), 0))
		variant = wanted_variant < variants ? (int)wanted_variant : 0;
	write_down(function, variants, offset(site), 0, variant);
	errno = saved;
	return variant;
}

bool
inject_asks_within(const char *library)
{
	return role != ROLE_NONE && (wanted_role == ROLE_NONE ? room > 0 : role == wanted_role && (!*wanted_function || strcmp(library, wanted_function) == 0));
}

bool
inject_fails_within(const char *library, const void *site, uint32_t path)
{
	int      saved = errno;
	uint64_t at = offset(site);
	bool     fails = is_the_one(library, at, path), is_new = false;
	uint32_t i = (uint32_t)(at * 0x9e3779b1u) ^ path;

	for (uint32_t n = 0; n < PLACES && !is_new; n++, i++) {
		if (places[i % PLACES].site == at && places[i % PLACES].path == path)
			break;
		if (places[i % PLACES].site == 0) {
			places[i % PLACES].site = at;
			places[i % PLACES].path = path;
			is_new = true;
		}
	}
	if (fails || is_new)
		write_down(library, 1, at, path, fails ? 0 : -1);
	errno = saved;
	return fails;
}

#define COUNT(a)   (sizeof(a) / sizeof *(a))

/* A function that says `bad` and sets errno to one of those named. */
#define FAILS(ret, name, params, args, bad, ...)                                   \
	ret __real_##name params;                                                  \
	ret __wrap_##name params;                                                  \
	ret __wrap_##name params                                                   \
	{                                                                          \
		static const int why[] = {__VA_ARGS__};                            \
		int              v = inject_fails(#name, (unsigned)COUNT(why), SITE);     \
		if (v < 0)                                                         \
			return __real_##name args;                                 \
		errno = why[v];                                                    \
		return bad;                                                        \
	}

/* --- memory --- */

FAILS(void *, malloc, (size_t n), (n), NULL, ENOMEM)
FAILS(void *, calloc, (size_t n, size_t size), (n, size), NULL, ENOMEM)
FAILS(void *, realloc, (void *p, size_t n), (p, n), NULL, ENOMEM)
FAILS(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size), NULL, ENOMEM)
FAILS(void *, aligned_alloc, (size_t to, size_t n), (to, n), NULL, ENOMEM)
FAILS(char *, strdup, (const char *s), (s), NULL, ENOMEM)
FAILS(char *, strndup, (const char *s, size_t n), (s, n), NULL, ENOMEM)
FAILS(int, vasprintf, (char **out, const char *fmt, va_list ap), (out, fmt, ap), -1, ENOMEM)
FAILS(void *, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t off), (at, n, prot, flags, fd, off), MAP_FAILED, ENOMEM, EPERM)
FAILS(FILE *, open_memstream, (char **out, size_t *n), (out, n), NULL, ENOMEM)
FAILS(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1, ENOMEM, EMFILE)
FAILS(int, ftruncate, (int fd, off_t n), (fd, n), -1, ENOSPC, EINTR)

int __wrap_asprintf(char **out, const char *fmt, ...);
int
__wrap_asprintf(char **out, const char *fmt, ...)
{
	va_list ap;
	int     n;

	if (inject_fails("asprintf", 1, SITE) >= 0) {
		errno = ENOMEM;
		return -1;
	}
	va_start(ap, fmt);
	n = __real_vasprintf(out, fmt, ap);
	va_end(ap);
	return n;
}

void *__real_mremap(void *p, size_t old, size_t n, int flags, ...);
void *__wrap_mremap(void *p, size_t old, size_t n, int flags, ...);
void *
__wrap_mremap(void *p, size_t old, size_t n, int flags, ...)
{
	if (inject_fails("mremap", 1, SITE) < 0)
		return __real_mremap(p, old, n, flags);
	errno = ENOMEM;
	return MAP_FAILED;
}

/* --- files --- */

int
__wrap_open(const char *path, int flags, ...)
{
	static const int why[] = {EMFILE, EACCES, EINTR};
	mode_t           mode = 0;
	va_list          ap;
	int              v = inject_fails("open", COUNT(why), SITE);

	if (v >= 0) {
		errno = why[v];
		return -1;
	}
	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return __real_open(path, flags, mode);
}

FAILS(int, fstat, (int fd, struct stat *st), (fd, st), -1, EIO, ENOMEM)
FAILS(int, stat, (const char *path, struct stat *st), (path, st), -1, EACCES, ENOMEM)
FAILS(int, lstat, (const char *path, struct stat *st), (path, st), -1, EACCES, ENOMEM)
FAILS(int, access, (const char *path, int how), (path, how), -1, EACCES)
FAILS(char *, realpath, (const char *path, char *out), (path, out), NULL, ENOMEM, EACCES)
FAILS(FILE *, fdopen, (int fd, const char *mode), (fd, mode), NULL, ENOMEM)
FAILS(int, mkostemp, (char *path, int flags), (path, flags), -1, EACCES, EMFILE)
FAILS(int, flock, (int fd, int how), (fd, how), -1, EINTR, ENOLCK)
FAILS(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EPERM)
FAILS(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), -1, EPERM)
FAILS(int, chmod, (const char *path, mode_t mode), (path, mode), -1, EPERM)
FAILS(int, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid), -1, EPERM)
FAILS(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, EACCES, ENOSPC)
FAILS(ssize_t, readlink, (const char *path, char *out, size_t n), (path, out, n), -1, EACCES)
FAILS(int, fsync, (int fd), (fd), -1, EIO)
FAILS(int, rename, (const char *from, const char *to), (from, to), -1, EACCES, ENOSPC)
FAILS(int, renameat2, (int from_at, const char *from, int to_at, const char *to, unsigned how), (from_at, from, to_at, to, how), -1, EACCES, ENOSPC)
FAILS(int, unlink, (const char *path), (path), -1, EACCES)
FAILS(off_t, lseek, (int fd, off_t off, int whence), (fd, off, whence), -1, ESPIPE)
FAILS(DIR *, opendir, (const char *path), (path), NULL, EMFILE, EACCES)
FAILS(struct dirent *, readdir, (DIR *d), (d), NULL, EIO)
FAILS(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, EMFILE, EACCES)
FAILS(int, chdir, (const char *path), (path), -1, EACCES)
SAYS(int, glob, (const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *g), (pattern, flags, on_error, g), GLOB_NOSPACE)

/* The answer of a command; the gateway itself says nothing on stdout. */
int __real_fflush(FILE *f);
int __wrap_fflush(FILE *f);
int
__wrap_fflush(FILE *f)
{
	return role != ROLE_COMMAND || inject_fails("fflush", 1, SITE) < 0 ? __real_fflush(f) : EOF;
}

ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __wrap_read(int fd, void *p, size_t n);
ssize_t
__wrap_read(int fd, void *p, size_t n)
{
	static const int why[] = {EINTR, EIO};
	struct stat      st;
	int              v = inject_fails("read", COUNT(why) + 1, SITE);

	if (v < 0)
		return __real_read(fd, p, n);
	if (v < (int)COUNT(why)) {
		errno = why[v];
		return -1;
	}
	/* less than there is: files only, an eventfd gives all or nothing */
	if (n > 1 && __real_fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = 1;
	return __real_read(fd, p, n);
}

ssize_t __real_pread(int fd, void *p, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at);
ssize_t
__wrap_pread(int fd, void *p, size_t n, off_t at)
{
	static const int why[] = {EINTR, EIO};
	int              v = inject_fails("pread", COUNT(why) + 1, SITE);

	if (v >= 0 && v < (int)COUNT(why)) {
		errno = why[v];
		return -1;
	}
	return __real_pread(fd, p, v < 0 || n < 1 ? n : 1, at);
}

ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	static const int why[] = {EINTR, ENOSPC};
	int              v = inject_fails("pwrite", COUNT(why) + 1, SITE);

	if (v >= 0 && v < (int)COUNT(why)) {
		errno = why[v];
		return -1;
	}
	return __real_pwrite(fd, p, v < 0 || n < 1 ? n : 1, at);
}

/* What goes to stderr is let alone: the driver reads it. */
ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	static const int why[] = {EINTR, ENOSPC, EAGAIN};
	struct stat      st;
	int              v = fd == STDERR_FILENO ? -1 : inject_fails("write", COUNT(why) + 1, SITE);

	if (v < 0)
		return __real_write(fd, p, n);
	if (v < (int)COUNT(why)) {
		errno = why[v];
		return -1;
	}
	if (n > 1 && __real_fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = 1;
	return __real_write(fd, p, n);
}

/* --- descriptors and events --- */

FAILS(int, epoll_create1, (int flags), (flags), -1, EMFILE, ENOMEM)
FAILS(int, epoll_wait, (int epoll, struct epoll_event *e, int n, int ms), (epoll, e, n, ms), -1, EINTR)
FAILS(int, eventfd, (unsigned n, int flags), (n, flags), -1, EMFILE)
FAILS(int, inotify_init1, (int flags), (flags), -1, EMFILE)
FAILS(int, inotify_add_watch, (int fd, const char *path, uint32_t what), (fd, path, what), -1, ENOSPC)
FAILS(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), -1, EMFILE)
FAILS(int, pipe2, (int fd[2], int flags), (fd, flags), -1, EMFILE)
FAILS(int, dup2, (int from, int to), (from, to), -1, EINTR, EMFILE)
FAILS(int, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms), -1, EINTR)

/* Taking a descriptor out cannot fail; what is in is remembered for edge(). */
int
__wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
	static const int why[] = {ENOMEM, ENOSPC};
	int              v = op == EPOLL_CTL_DEL ? -1 : inject_fails("epoll_ctl", COUNT(why), SITE);

	if (v >= 0) {
		errno = why[v];
		return -1;
	}
	if (fd >= 0 && fd < EDGES) {
		edges[fd].epoll = op == EPOLL_CTL_DEL ? 0 : epoll;
		if (e)
			edges[fd].event = *e;
	}
	return __real_epoll_ctl(epoll, op, fd, e);
}

/* A socket that seemed to have, or to take, less than it does: the kernel would tell when there is more, so it is made to. */
static void
edge(int fd)
{
	int saved = errno;

	if (fd >= 0 && fd < EDGES && edges[fd].epoll)
		__real_epoll_ctl(edges[fd].epoll, EPOLL_CTL_MOD, fd, &edges[fd].event);
	errno = saved;
}

int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);
int
__wrap_fcntl(int fd, int what, ...)
{
	va_list ap;
	long    arg;

	if (inject_fails("fcntl", 1, SITE) >= 0) {
		errno = EPERM;
		return -1;
	}
	va_start(ap, what);
	arg = va_arg(ap, long);
	va_end(ap);
	return __real_fcntl(fd, what, arg);
}

/* --- sockets --- */

FAILS(int, socket, (int family, int type, int protocol), (family, type, protocol), -1, EMFILE, ENOBUFS, EAFNOSUPPORT)
FAILS(int, socketpair, (int family, int type, int protocol, int fd[2]), (family, type, protocol, fd), -1, EMFILE, ENOBUFS)
FAILS(int, bind, (int fd, const struct sockaddr *sa, socklen_t n), (fd, sa, n), -1, EADDRINUSE)
FAILS(int, listen, (int fd, int n), (fd, n), -1, EADDRINUSE)
FAILS(int, accept4, (int fd, struct sockaddr *sa, socklen_t *n, int flags), (fd, sa, n, flags), -1, ECONNABORTED, EINTR, EMFILE, ENOMEM, EAGAIN)
FAILS(int, connect, (int fd, const struct sockaddr *sa, socklen_t n), (fd, sa, n), -1, ENETUNREACH, ECONNREFUSED, EADDRNOTAVAIL)
FAILS(int, setsockopt, (int fd, int level, int name, const void *p, socklen_t n), (fd, level, name, p, n), -1, ENOPROTOOPT)
FAILS(int, getsockopt, (int fd, int level, int name, void *p, socklen_t *n), (fd, level, name, p, n), -1, ENOBUFS)
FAILS(int, getsockname, (int fd, struct sockaddr *sa, socklen_t *n), (fd, sa, n), -1, ENOBUFS)
FAILS(int, getifaddrs, (struct ifaddrs **out), (out), -1, ENOMEM)
FAILS(unsigned, if_nametoindex, (const char *name), (name), 0, ENODEV)
FAILS(int, gethostname, (char *p, size_t n), (p, n), -1, EPERM)

enum { WAY_EINTR, WAY_BROKEN, WAY_NO_MEMORY, WAY_LATER, WAY_SHORT, WAYS };

static bool
is_stream(int fd)
{
	int       type = 0;
	socklen_t n = sizeof type;

	return __real_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
}

/* The failures of a socket's transfers, but for less than all: true when it is to be done with one byte. */
static bool
transfer_short(int fd, int way, ssize_t *answer)
{
	static const int why[] = {EINTR, ECONNRESET, ENOBUFS, EAGAIN};

	if (way == WAY_SHORT && is_stream(fd))
		return true;
	*answer = -1;
	errno = way == WAY_SHORT ? EINTR : why[way];
	return false;
}

#define TRANSFERS(name, params, args, fd_shown, cut)                               \
	ssize_t __real_##name params;                                              \
	ssize_t __wrap_##name params;                                              \
	ssize_t __wrap_##name params                                               \
	{                                                                          \
		int     way = inject_fails(#name, WAYS, SITE);                            \
		ssize_t r;                                                         \
		if (way < 0)                                                       \
			return __real_##name args;                                 \
		if (transfer_short(fd_shown, way, &r)) {                           \
			cut;                                                       \
			r = __real_##name args;                                    \
		}                                                                  \
		edge(fd_shown);                                                    \
		return r;                                                          \
	}

TRANSFERS(recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags), fd, n = n ? 1 : 0)
TRANSFERS(send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags), fd, n = n ? 1 : 0)
TRANSFERS(recvfrom, (int fd, void *p, size_t n, int flags, struct sockaddr *sa, socklen_t *sa_n), (fd, p, n, flags, sa, sa_n), fd, n = n ? 1 : 0)

/* The first block alone. */
TRANSFERS(sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), fd, struct msghdr one = *m; one.msg_iovlen = 1; m = &one)

/* Between processes only, where a message comes whole or not. */
FAILS(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags), -1, EINTR, EAGAIN, ENOMEM, ECONNRESET)

ssize_t __real_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags);
ssize_t __wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags);
ssize_t
__wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
	int     way = inject_fails("splice", WAYS, SITE);
	ssize_t r = -1;

	if (way < 0)
		return __real_splice(from, from_at, to, to_at, n, flags);
	if (way == WAY_SHORT)
		r = __real_splice(from, from_at, to, to_at, n ? 1 : 0, flags);
	else
		transfer_short(from, way, &r);
	edge(from);
	edge(to);
	return r;
}

ssize_t __real_sendfile(int to, int from, off_t *at, size_t n);
ssize_t __wrap_sendfile(int to, int from, off_t *at, size_t n);
ssize_t
__wrap_sendfile(int to, int from, off_t *at, size_t n)
{
	static const int why[] = {EINTR, ENOSPC};
	int              v = inject_fails("sendfile", COUNT(why) + 1, SITE);

	if (v >= 0 && v < (int)COUNT(why)) {
		errno = why[v];
		return -1;
	}
	return __real_sendfile(to, from, at, v < 0 || n < 1 ? n : 1);
}

int __real_ioctl(int fd, unsigned long what, ...);
int __wrap_ioctl(int fd, unsigned long what, ...);
int
__wrap_ioctl(int fd, unsigned long what, ...)
{
	va_list ap;
	void   *arg;

	if (inject_fails("ioctl", 1, SITE) >= 0) {
		errno = EINVAL;
		return -1;
	}
	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	return __real_ioctl(fd, what, arg);
}

/* It fails on a connection that is gone already, and what it was to do is then done. */
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int
__wrap_shutdown(int fd, int how)
{
	int v = inject_fails("shutdown", 1, SITE), r = __real_shutdown(fd, how);

	if (v < 0)
		return r;
	errno = ENOTCONN;
	return -1;
}

/* --- processes --- */

FAILS(int, fexecve, (int fd, char *const argv[], char *const env[]), (fd, argv, env), -1, ENOMEM, EACCES)
FAILS(int, execve, (const char *path, char *const argv[], char *const env[]), (path, argv, env), -1, ENOENT, EACCES)
FAILS(int, setgroups, (size_t n, const gid_t *list), (n, list), -1, EPERM)
FAILS(int, setresgid, (gid_t r, gid_t e, gid_t s), (r, e, s), -1, EAGAIN)
FAILS(int, setresuid, (uid_t r, uid_t e, uid_t s), (r, e, s), -1, EAGAIN)
FAILS(struct passwd *, getpwnam, (const char *name), (name), NULL, EIO, 0)
FAILS(struct passwd *, getpwuid, (uid_t uid), (uid), NULL, EIO, 0)
FAILS(struct group *, getgrnam, (const char *name), (name), NULL, EIO, 0)
FAILS(int, getgrouplist, (const char *user, gid_t gid, gid_t *out, int *n), (user, gid, out, n), -1, ENOMEM)
FAILS(int, setenv, (const char *name, const char *value, int over), (name, value, over), -1, ENOMEM)
FAILS(int, getrlimit, (__rlimit_resource_t what, struct rlimit *out), (what, out), -1, EPERM)
FAILS(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *in), (what, in), -1, EPERM)
FAILS(int, mlockall, (int how), (how), -1, ENOMEM, EPERM)
FAILS(long, sysconf, (int what), (what), -1, EINVAL)
FAILS(ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags), -1, ENOSYS, EINTR)

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t
__wrap_fork(void)
{
	pid_t pid;

	if (inject_fails("fork", 1, SITE) >= 0) {
		errno = EAGAIN;
		return -1;
	}
	pid = __real_fork();
	if (pid == 0 && role != ROLE_NONE)
		role = ROLE_FORKED;
	return pid;
}

int __real_prctl(int what, ...);
int __wrap_prctl(int what, ...);
int
__wrap_prctl(int what, ...)
{
	va_list       ap;
	unsigned long a[4];

	if (inject_fails("prctl", 1, SITE) >= 0) {
		errno = EPERM;
		return -1;
	}
	va_start(ap, what);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
#ifdef WITH_SANITIZERS
	/* the look for leaks is a kind of tracing, which this would forbid */
	if (what == PR_SET_DUMPABLE && role != ROLE_NONE)
		return 0;
#endif
	return __real_prctl(what, a[0], a[1], a[2], a[3]);
}

/* --- threads: these hand back what is wrong --- */

SAYS(int, pthread_create, (pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *), void *arg), (id, attr, fn, arg), EAGAIN)
SAYS(int, pthread_cond_init, (pthread_cond_t *c, const pthread_condattr_t *attr), (c, attr), ENOMEM)

/* --- libraries --- */

SAYS(void *, dlopen, (const char *file, int how), (file, how), NULL)
SAYS(void *, dlsym, (void *library, const char *name), (library, name), NULL)
FAILS(char *, crypt_gensalt_rn, (const char *prefix, unsigned long cost, const char *bytes, int n, char *out, int most), (prefix, cost, bytes, n, out, most), NULL, ENOSYS)
FAILS(char *, crypt_rn, (const char *password, const char *salt, void *work, int n), (password, salt, work, n), NULL, ENOMEM, EINVAL)

#ifdef HAVE_KERBEROS
/* The library sets what it gives back also when it fails; gss_accept_sec_context may do its work first, and then has no memory for the answer. */
#define SAYS_GSS(name, params, args, empty)                                        \
	OM_uint32 __real_##name params;                                            \
	OM_uint32 __wrap_##name params;                                            \
	OM_uint32 __wrap_##name params                                             \
	{                                                                          \
		if (inject_fails(#name, 1, SITE) < 0)                                     \
			return __real_##name args;                                 \
		*minor = ENOMEM;                                                   \
		empty;                                                             \
		return GSS_S_FAILURE;                                              \
	}
SAYS_GSS(gss_indicate_mechs, (OM_uint32 * minor, gss_OID_set *out), (minor, out), *out = GSS_C_NO_OID_SET)
SAYS_GSS(gss_acquire_cred_from,
    (OM_uint32 * minor, gss_name_t name, OM_uint32 life, gss_OID_set mechs, gss_cred_usage_t use, gss_const_key_value_set_t store, gss_cred_id_t *out,
	gss_OID_set *found, OM_uint32 *lives),
    (minor, name, life, mechs, use, store, out, found, lives), *out = GSS_C_NO_CREDENTIAL)
SAYS_GSS(gss_set_neg_mechs, (OM_uint32 * minor, gss_cred_id_t cred, const gss_OID_set mechs), (minor, cred, mechs), (void)0)
SAYS_GSS(gss_accept_sec_context,
    (OM_uint32 * minor, gss_ctx_id_t *context, gss_cred_id_t cred, gss_buffer_t in, gss_channel_bindings_t bound, gss_name_t *name, gss_OID *mech, gss_buffer_t out,
	OM_uint32 *flags, OM_uint32 *life, gss_cred_id_t *given),
    (minor, context, cred, in, bound, name, mech, out, flags, life, given), *out = (gss_buffer_desc)GSS_C_EMPTY_BUFFER)
SAYS_GSS(gss_display_status, (OM_uint32 * minor, OM_uint32 status, int kind, gss_OID mech, OM_uint32 *more, gss_buffer_t out), (minor, status, kind, mech, more, out),
    *out = (gss_buffer_desc)GSS_C_EMPTY_BUFFER)
SAYS(krb5_error_code, krb5_init_context, (krb5_context * out), (out), ENOMEM)
SAYS(krb5_error_code, krb5_kt_resolve, (krb5_context c, const char *name, krb5_keytab *out), (c, name, out), ENOMEM)
SAYS(krb5_error_code, krb5_kt_start_seq_get, (krb5_context c, krb5_keytab keytab, krb5_kt_cursor *out), (c, keytab, out), ENOMEM)
SAYS(krb5_error_code, krb5_kt_next_entry, (krb5_context c, krb5_keytab keytab, krb5_keytab_entry *out, krb5_kt_cursor *at), (c, keytab, out, at), ENOMEM)
SAYS(krb5_error_code, krb5_kt_add_entry, (krb5_context c, krb5_keytab keytab, krb5_keytab_entry *e), (c, keytab, e), ENOMEM)
SAYS(krb5_error_code, krb5_unparse_name, (krb5_context c, krb5_const_principal p, char **out), (c, p, out), ENOMEM)
SAYS(krb5_error_code, krb5_auth_con_init, (krb5_context c, krb5_auth_context *out), (c, out), ENOMEM)
SAYS(krb5_error_code, krb5_rd_req,
    (krb5_context c, krb5_auth_context *auth, const krb5_data *in, krb5_const_principal server, krb5_keytab keytab, krb5_flags *flags, krb5_ticket **ticket),
    (c, auth, in, server, keytab, flags, ticket), ENOMEM)
#endif

#ifdef HAVE_LDAP
SAYS(int, ldap_initialize, (LDAP * *out, const char *url), (out, url), LDAP_NO_MEMORY)
SAYS(int, ldap_set_option, (LDAP * l, int option, const void *value), (l, option, value), LDAP_OPT_ERROR)
SAYS(int, ldap_get_option, (LDAP * l, int option, void *out), (l, option, out), LDAP_OPT_ERROR)
#endif

SAYS(int, ini_parse_stream, (ini_reader reader, void *stream, ini_handler handler, void *user), (reader, stream, handler, user), -2)
SAYS(int, idn2_lookup_u8, (const uint8_t *in, uint8_t **out, int flags), (in, out, flags), IDN2_MALLOC)
SAYS(const psl_ctx_t *, psl_latest, (const char *file), (file), NULL)
SAYS(const char *, psl_registrable_domain, (const psl_ctx_t *psl, const char *name), (psl, name), NULL)
#ifdef HAVE_SYSTEMD
SAYS(int, sd_notify, (int unset, const char *state), (unset, state), -ENOMEM)
SAYS(int, sd_listen_fds, (int unset), (unset), -EINVAL)
SAYS(int, sd_is_socket, (int fd, int family, int type, int listening), (fd, family, type, listening), -ENOMEM)
#endif

SAYS(scmp_filter_ctx, seccomp_init, (uint32_t action), (action), NULL)
SAYS(int, seccomp_attr_set, (scmp_filter_ctx ctx, enum scmp_filter_attr attr, uint32_t value), (ctx, attr, value), -EINVAL)
SAYS(int, seccomp_load, (const scmp_filter_ctx ctx), (ctx), -ENOMEM)
int __real_seccomp_rule_add(scmp_filter_ctx ctx, uint32_t action, int call, unsigned n, ...);
int __wrap_seccomp_rule_add(scmp_filter_ctx ctx, uint32_t action, int call, unsigned n, ...);
int
__wrap_seccomp_rule_add(scmp_filter_ctx ctx, uint32_t action, int call, unsigned n, ...)
{
	struct scmp_arg_cmp arg[6];
	va_list             ap;

	if (inject_fails("seccomp_rule_add", 1, SITE) >= 0 || n > COUNT(arg))
		return -ENOMEM;
	va_start(ap, n);
	for (unsigned i = 0; i < n; i++)
		arg[i] = va_arg(ap, struct scmp_arg_cmp);
	va_end(ap);
	return seccomp_rule_add_array(ctx, action, call, n, arg);
}

SAYS(int, ares_init_options, (ares_channel *out, struct ares_options *o, int given), (out, o, given), ARES_ENOMEM)
SAYS(int, ares_set_servers_ports, (ares_channel ch, struct ares_addr_port_node *node), (ch, node), ARES_ENOMEM)
SAYS(int, ares_create_query, (const char *name, int class, int type, unsigned short id, int rd, unsigned char **out, int *n, int udp),
    (name, class, type, id, rd, out, n, udp), ARES_ENOMEM)
void __real_ares_send(ares_channel ch, const unsigned char *query, int n, ares_callback fn, void *arg);
void __wrap_ares_send(ares_channel ch, const unsigned char *query, int n, ares_callback fn, void *arg);
void
__wrap_ares_send(ares_channel ch, const unsigned char *query, int n, ares_callback fn, void *arg)
{
	if (inject_fails("ares_send", 1, SITE) < 0)
		__real_ares_send(ch, query, n, fn, arg);
	else
		fn(arg, ARES_ENOMEM, 0, NULL, 0); /* at once, as c-ares does */
}

SAYS(pcre2_general_context *, pcre2_general_context_create_8, (void *(*get)(size_t, void *), void (*give)(void *, void *), void *data), (get, give, data), NULL)
SAYS(pcre2_match_context *, pcre2_match_context_create_8, (pcre2_general_context * g), (g), NULL)
SAYS(pcre2_match_data *, pcre2_match_data_create_8, (uint32_t n, pcre2_general_context *g), (n, g), NULL)
SAYS(int, pcre2_jit_compile_8, (pcre2_code * code, uint32_t how), (code, how), PCRE2_ERROR_NOMEMORY)
SAYS(pcre2_jit_stack *, pcre2_jit_stack_create_8, (PCRE2_SIZE least, PCRE2_SIZE most, pcre2_general_context *g), (least, most, g), NULL)
SAYS(int, pcre2_callout_enumerate_8, (const pcre2_code *code, int (*fn)(pcre2_callout_enumerate_block *, void *), void *arg), (code, fn, arg), PCRE2_ERROR_NOMEMORY)
SAYS(int, pcre2_match_8, (const pcre2_code *code, PCRE2_SPTR8 s, PCRE2_SIZE n, PCRE2_SIZE at, uint32_t how, pcre2_match_data *m, pcre2_match_context *c),
    (code, s, n, at, how, m, c), PCRE2_ERROR_NOMEMORY)
SAYS(int32_t, pcre2_serialize_encode_8, (const pcre2_code **codes, int32_t n, uint8_t **out, PCRE2_SIZE *size, pcre2_general_context *g),
    (codes, n, out, size, g), PCRE2_ERROR_NOMEMORY)
SAYS(int32_t, pcre2_serialize_decode_8, (pcre2_code * *codes, int32_t n, const uint8_t *bytes, pcre2_general_context *g), (codes, n, bytes, g), PCRE2_ERROR_NOMEMORY)
SAYS(int32_t, pcre2_serialize_get_number_of_codes_8, (const uint8_t *bytes), (bytes), PCRE2_ERROR_BADMAGIC)
pcre2_code *__real_pcre2_compile_8(PCRE2_SPTR8 p, PCRE2_SIZE n, uint32_t how, int *error, PCRE2_SIZE *at, pcre2_compile_context *c);
pcre2_code *__wrap_pcre2_compile_8(PCRE2_SPTR8 p, PCRE2_SIZE n, uint32_t how, int *error, PCRE2_SIZE *at, pcre2_compile_context *c);
pcre2_code *
__wrap_pcre2_compile_8(PCRE2_SPTR8 p, PCRE2_SIZE n, uint32_t how, int *error, PCRE2_SIZE *at, pcre2_compile_context *c)
{
	if (inject_fails("pcre2_compile_8", 1, SITE) < 0)
		return __real_pcre2_compile_8(p, n, how, error, at, c);
	*error = PCRE2_ERROR_HEAP_FAILED;
	*at = 0;
	return NULL;
}
