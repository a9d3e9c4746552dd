/* SPDX-License-Identifier: MIT */
#include "proc/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

#include "base/log.h"

/* What every child needs: memory, the event loop, its channel, clocks, leaving. */
static const int common[] = {
	SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(fcntl),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(gettid), SCMP_SYS(gettimeofday),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(lseek), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(munmap), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(read), SCMP_SYS(recvmsg), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_yield), SCMP_SYS(sendmsg), SCMP_SYS(shutdown), SCMP_SYS(tgkill), SCMP_SYS(time), SCMP_SYS(write), SCMP_SYS(writev),
};
/* Sockets and pipes, nothing of the file system; of a listener's key the file that the parent opened. */
static const int worker[] = {
	SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(ioctl),
	SCMP_SYS(pipe2), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(socket), SCMP_SYS(splice),
};
/* Its files and spools, certificates of authorities, and sockets to syslog servers, the journal and DNS servers; see also allow_families. */
static const int logger[] = {
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
	SCMP_SYS(ioctl), SCMP_SYS(lstat), SCMP_SYS(memfd_create), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(recvfrom),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(stat),
};

/* What it has: its key's file and the sockets to the workers, all of them opened by others. */
static const int signer[] = {
	SCMP_SYS(pread64), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
};

/* Sockets that others made. */
static const int admin[] = {
	SCMP_SYS(accept4), SCMP_SYS(getsockname), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
};

/* Sockets of the Internet that connect; it listens to nobody. pread64: credentials, by a descriptor that comes to it. */
static const int doctor[] = {
	SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(ioctl), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(recvfrom),
	SCMP_SYS(sendto), SCMP_SYS(setsockopt),
};

/* Threads, sockets of all kinds, and the files that getaddrinfo, Kerberos, TLS and NSS read, or keep (the replay cache). No exec, so a fork leads nowhere. */
static const int auth[] = {
	SCMP_SYS(access), SCMP_SYS(arch_prctl), SCMP_SYS(bind), SCMP_SYS(chmod), SCMP_SYS(clock_getres), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(connect),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fchmod), SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(fstatfs),
	SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(getegid), SCMP_SYS(getgid), SCMP_SYS(getgroups),
	SCMP_SYS(getpeername), SCMP_SYS(getppid), SCMP_SYS(getresgid), SCMP_SYS(getresuid), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt), SCMP_SYS(ioctl), SCMP_SYS(link), SCMP_SYS(lstat), SCMP_SYS(membarrier), SCMP_SYS(memfd_create), SCMP_SYS(nanosleep), SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(prctl), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(prlimit64), SCMP_SYS(pselect6), SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity), SCMP_SYS(select), SCMP_SYS(sendmmsg), SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(setsockopt), SCMP_SYS(sigaltstack), SCMP_SYS(socket), SCMP_SYS(socketpair),
	SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(sysinfo), SCMP_SYS(umask), SCMP_SYS(uname), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
};

bool
sandbox_drop_user(uid_t uid, gid_t gid)
{
	return sandbox_drop_user_but(uid, gid, NULL, 0);
}

bool
sandbox_drop_user_but(uid_t uid, gid_t gid, const gid_t *groups, size_t n)
{
	if (setgroups(n, groups) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
		log_error("cannot become uid %u, gid %u: %s", (unsigned)uid, (unsigned)gid, strerror(errno));
		return false;
	}
	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
		log_error("privileges came back after they were given up");
		return false;
	}
	return true;
}

size_t
sandbox_groups(uid_t uid, gid_t group[GROUPS_MAX])
{
	const struct passwd *pw = getpwuid(uid);
	int                  n = GROUPS_MAX;

	if (!pw)
		return 0;
	if (getgrouplist(pw->pw_name, pw->pw_gid, group, &n) < 0 || n < 0) {
		log_warn("user %s is in more than %d groups: the first of them have to do", pw->pw_name, GROUPS_MAX);
		return GROUPS_MAX;
	}
	return (size_t)n;
}

#ifndef WITH_SANITIZERS
static bool
allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0) != 0)
			return false;
	return true;
}

/* Memory may be mapped; executable only when the JIT needs it. */
static bool
allow_memory(scmp_filter_ctx ctx, bool jit)
{
	static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

	if (jit)
		return allow(ctx, calls, 2);
	for (size_t i = 0; i < 2; i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) != 0)
			return false;
	return true;
}

/* Sockets of these families only; `local`: UNIX sockets too. */
static bool
allow_families(scmp_filter_ctx ctx, bool local)
{
	static const scmp_datum_t families[] = {AF_INET, AF_INET6, AF_UNIX};

	for (size_t i = 0; i < (local ? 3u : 2u); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, families[i], 0)) != 0)
			return false;
	return true;
}

static bool
load_filter(enum role role, bool jit)
{
	/* refused calls fail, rather than kill: a library that tries something new must not stop traffic */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool            ok = false;

	if (!ctx)
		return false;
	/* the speculation barrier costs each system call dearly and guards against code that we do not run */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1) != 0)
		goto out;
	if (!allow(ctx, common, sizeof common / sizeof *common) || !allow_memory(ctx, jit))
		goto out;
	if (role == ROLE_WORKER && !allow(ctx, worker, sizeof worker / sizeof *worker))
		goto out;
	if (role == ROLE_LOGGER && (!allow(ctx, logger, sizeof logger / sizeof *logger) || !allow_families(ctx, true)))
		goto out;
	if (role == ROLE_SIGNER && !allow(ctx, signer, sizeof signer / sizeof *signer))
		goto out;
	if (role == ROLE_AUTH && !allow(ctx, auth, sizeof auth / sizeof *auth))
		goto out;
	if (role == ROLE_ADMIN && !allow(ctx, admin, sizeof admin / sizeof *admin))
		goto out;
	if (role == ROLE_DOCTOR && (!allow(ctx, doctor, sizeof doctor / sizeof *doctor) || !allow_families(ctx, false)))
		goto out;
	ok = seccomp_load(ctx) == 0;
out:
	seccomp_release(ctx);
	return ok;
}
#else
static bool
load_filter(enum role role, bool jit)
{
	(void)role;
	(void)jit;
	(void)common;
	(void)worker;
	(void)logger;
	(void)signer;
	(void)auth;
	(void)admin;
	(void)doctor;
	return true;
}
#endif

/* A parent that was never root may have been given capabilities (systemd's AmbientCapabilities=), which its children inherit. */
static bool
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct   none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 && syscall(SYS_capset, &head, none) == 0;
}

bool
sandbox_enter(enum role role, bool jit)
{
	if (geteuid() != 0 && !drop_capabilities()) {
		log_error("cannot give up capabilities: %s", strerror(errno));
		return false;
	}
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || (role != ROLE_AUTH_OPEN && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)) {
		log_error("cannot give up privileges: %s", strerror(errno));
		return false;
	}
	if (role == ROLE_AUTH_OPEN || role == ROLE_SIGNER_OPEN)
		return true;
#ifdef HAVE_VALGRIND
	/* it has no seccomp(2), and makes calls of its own in our place */
	if (RUNNING_ON_VALGRIND) {
		log_warn("under valgrind: no system call filter");
		return true;
	}
#endif
	if (load_filter(role, jit))
		return true;
	log_error("cannot load the system call filter");
	return false;
}
