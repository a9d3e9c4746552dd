/* SPDX-License-Identifier: MIT */
/* control_place: the socket's file: made, taken over from the dead, refused to a second living instance. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"
#include "proc/control.h"

static bool
address_of(const char *path, struct sockaddr_un *sa, char *why, size_t n)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof sa->sun_path) {
		snprintf(why, n, "the path is longer than %zu bytes", sizeof sa->sun_path - 1);
		return false;
	}
	strcpy(sa->sun_path, path);
	return true;
}

/* Nobody answers at what is there, or nothing is there: the place is free. */
static bool
is_free(const struct sockaddr_un *sa, char *why, size_t n)
{
	struct ucred cred;
	socklen_t    size = sizeof cred;
	struct stat  st;
	bool         lives;
	int          fd, error;

	if (lstat(sa->sun_path, &st) != 0) {
		if (errno == ENOENT)
			return true;
		snprintf(why, n, "%s", strerror(errno));
		return false;
	}
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, n, "a file is there that is no socket; name another path");
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		snprintf(why, n, "%s", strerror(errno));
		return false;
	}
	lives = connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0;
	error = errno;
	if (lives && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0)
		snprintf(why, n, "another instance (pid %d) answers there", (int)cred.pid);
	else if (lives || error == EAGAIN)
		snprintf(why, n, "another instance answers there");
	else if (error != ECONNREFUSED)
		snprintf(why, n, "%s", strerror(error));
	close(fd);
	if (lives || error != ECONNREFUSED)
		return false;
	if (unlink(sa->sun_path) == 0 || errno == ENOENT)
		return true;
	snprintf(why, n, "what a dead instance left there cannot be removed: %s", strerror(errno));
	return false;
}

/* /run is empty after a start of the machine. What cannot be made is told of when the socket is. */
static void
make_folder(const char *path)
{
	char        folder[UNIX_PATH_MOST];
	const char *end = strrchr(path, '/');

	if (!end || end == path)
		return;
	snprintf(folder, sizeof folder, "%.*s", (int)(end - path), path);
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		log_debug("control: %s: %s", folder, strerror(errno));
}

static struct control_place *
place_new(int fd, const char *path, const char *group, char *why, size_t n)
{
	struct control_place *p = calloc(1, sizeof *p);
	const struct group   *g = group ? getgrnam(group) : NULL;

	if (group && !g)
		snprintf(why, n, "group %s does not exist", group);
	else if (!p || !(p->path = strdup(path)))
		snprintf(why, n, "out of memory");
	else if (listen(fd, 16) != 0)
		snprintf(why, n, "%s", strerror(errno));
	else {
		p->fd = fd;
		p->has_group = g != NULL;
		p->group = g ? g->gr_gid : getegid();
		return p;
	}
	if (p)
		free(p->path);
	free(p);
	close(fd);
	return NULL;
}

struct control_place *
control_place_open(const char *path, const char *group, char *why, size_t why_n)
{
	struct sockaddr_un    sa;
	struct control_place *p;
	mode_t                mask;
	int                   fd, bound;

	if (!address_of(path, &sa, why, why_n))
		return NULL;
	make_folder(path);
	if (!is_free(&sa, why, why_n))
		return NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	bound = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&sa, sizeof sa);
	umask(mask);
	if (bound != 0) {
		snprintf(why, why_n, "%s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	p = place_new(fd, path, group, why, why_n);
	if (!p)
		unlink(path);
	return p;
}

struct control_place *
control_place_adopt(int fd, const char *path, const char *group, char *why, size_t why_n)
{
	return place_new(fd, path, group, why, why_n);
}

void
control_place_use(const struct control_place *p)
{
	if (chown(p->path, (uid_t)-1, p->group) != 0 || chmod(p->path, p->has_group ? 0660 : 0600) != 0)
		log_warn("control: the mode of %s cannot be set: %s", p->path, strerror(errno));
}

void
control_place_free(struct control_place *p, bool gone)
{
	if (!p)
		return;
	if (gone)
		unlink(p->path);
	close(p->fd);
	free(p->path);
	free(p);
}
