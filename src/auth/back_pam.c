/* SPDX-License-Identifier: MIT */
/*
 * back_pam: Basic by PAM: authentication and account of one service. The conversation answers a single question, that for a password; modules that ask
 * for more (a second factor, a new password) find nobody to talk to and fail.
 */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/back_ops.h"

#define THREADS      4u
#define PASSWORD_MAX 512u /* PAM_MAX_RESP_SIZE */

struct back {
	char service[64];
};

/* What one log-on may say. */
struct talk {
	const char *password;
	bool        said;
};

static void
close_pam(struct back *b)
{
	free(b);
}

static struct back *
open_pam(const struct snapshot *snap, int fd, char why[BACK_WHY_MAX])
{
	static const char *const folders[] = {"/etc/pam.d", "/usr/lib/pam.d"};
	struct span              service = snapshot_text(snap, snap->set->auth.pam_service);
	struct back             *b;
	char                     path[128];

	(void)fd;
	b = calloc(1, sizeof *b);
	if (!b) {
		snprintf(why, BACK_WHY_MAX, "out of memory");
		return NULL;
	}
	if (service.n == 0 || service.n >= sizeof b->service || memchr(service.p, '/', service.n) || service.p[0] == '.') {
		snprintf(why, BACK_WHY_MAX, "pam-service is not the name of a file in /etc/pam.d");
		free(b);
		return NULL;
	}
	memcpy(b->service, service.p, service.n);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s/%s", folders[i], b->service);
		if (access(path, R_OK) == 0)
			return b;
	}
	/* PAM would take the service `other`, which as a rule refuses everybody and says nothing */
	snprintf(why, BACK_WHY_MAX, "there is no readable /etc/pam.d/%s; pam-service names a file there", b->service);
	free(b);
	return NULL;
}

static void
replies_drop(struct pam_response *reply, int n)
{
	for (int i = 0; i < n; i++)
		if (reply[i].resp) {
			explicit_bzero(reply[i].resp, strlen(reply[i].resp));
			free(reply[i].resp);
		}
	free(reply);
}

static int
on_talk(int n, const struct pam_message **ask, struct pam_response **out, void *arg)
{
	struct talk         *t = arg;
	struct pam_response *reply;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	reply = calloc((size_t)n, sizeof *reply);
	if (!reply)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		if (ask[i]->msg_style == PAM_TEXT_INFO || ask[i]->msg_style == PAM_ERROR_MSG)
			continue;
		if (ask[i]->msg_style != PAM_PROMPT_ECHO_OFF || t->said || !(reply[i].resp = strdup(t->password))) {
			replies_drop(reply, n);
			return PAM_CONV_ERR;
		}
		t->said = true;
	}
	*out = reply;
	return PAM_SUCCESS;
}

/* In the place of a module's wait: max-failures slows guessing down, and a thread that sleeps serves nobody. */
static void
on_fail_delay(int status, unsigned usec, void *arg)
{
	(void)status;
	(void)usec;
	(void)arg;
}

static enum ask_result
result_of(int code)
{
	switch (code) {
	case PAM_SUCCESS:
		return ASK_OK;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_CRED_EXPIRED:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_INSUFFICIENT:
	case PAM_CONV_ERR:
		return ASK_REFUSED;
	default:
		return ASK_UNAVAILABLE;
	}
}

static void
log_on(struct back *b, const struct ask *ask, const char *user, const char *password, struct answer *out)
{
	struct talk           t = {.password = password};
	const struct pam_conv conv = {.conv = on_talk, .appdata_ptr = &t};
	pam_handle_t         *pam = NULL;
	char                  client[ADDR_TEXT_MAX];
	const void           *name = NULL;
	int                   code = pam_start(b->service, user, &conv, &pam);

	addr_print(&ask->client, client);
	if (code == PAM_SUCCESS)
		code = pam_set_item(pam, PAM_RHOST, client);
	if (code == PAM_SUCCESS)
		code = pam_set_item(pam, PAM_FAIL_DELAY, (const void *)on_fail_delay);
	if (code == PAM_SUCCESS)
		code = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (code == PAM_SUCCESS)
		code = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	out->result = result_of(code);
	/* modules may spell the name another way */
	if (code == PAM_SUCCESS && pam_get_item(pam, PAM_USER, &name) == PAM_SUCCESS && name)
		answer_name(out->account, span_str(name));
	if (code == PAM_CONV_ERR)
		answer_detail(out, "PAM asked for more than a password: a new one, or a second factor");
	else if (code != PAM_SUCCESS)
		answer_detail(out, "PAM: %s", pam ? pam_strerror(pam, code) : "it cannot be started");
	if (pam)
		pam_end(pam, code);
}

static void
check(struct back *b, unsigned thread, const struct ask *ask, struct answer *out)
{
	struct span user = ask->part[0], given = ask->part[1];
	char        name[ASK_NAME_MAX], password[PASSWORD_MAX];

	(void)thread;
	if (ask->op != ASK_BASIC) {
		out->result = ASK_UNAVAILABLE;
		answer_detail(out, "pam answers Basic alone");
		return;
	}
	answer_name(out->account, user);
	if (user.n == 0 || user.n >= sizeof name || memchr(user.p, '\0', user.n) || given.n >= sizeof password ||
	    (given.n > 0 && memchr(given.p, '\0', given.n))) {
		out->result = ASK_REFUSED;
		answer_detail(out, "no name, or a name or password that is too long");
		return;
	}
	memcpy(name, user.p, user.n);
	name[user.n] = '\0';
	if (given.n > 0)
		memcpy(password, given.p, given.n);
	password[given.n] = '\0';
	log_on(b, ask, name, password, out);
	explicit_bzero(password, sizeof password);
}

static void
describe(struct back *b, void (*say)(void *arg, bool fault, const char *line), void *arg)
{
	char text[128];

	snprintf(text, sizeof text, "service %s", b->service);
	say(arg, false, text);
}

const struct back_ops back_pam_ops = {
	.word = "pam",
	.threads = THREADS,
	.counts = true,
	.open = open_pam,
	.close = close_pam,
	.check = check,
	.describe = describe,
};
