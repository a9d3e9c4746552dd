/* SPDX-License-Identifier: MIT */
/*
 * doctor: what the files of `postern doctor` share: one run and what came of it.
 */
#ifndef POSTERN_CLI_DOCTOR_H
#define POSTERN_CLI_DOCTOR_H

#include "doctor/doctor.h"

enum doctor_form { DOCTOR_FORM_TABLE, DOCTOR_FORM_JSON, DOCTOR_FORM_NAGIOS, DOCTOR_FORM_PROMETHEUS };

struct checkup {
	const char            *path; /* the ini */
	const char            *via;  /* null: as the configuration says */
	enum doctor_form       form;
	struct conf           *conf;
	struct snapshot       *snap;
	struct doctor_settings set;
	const char           **issuer; /* owned */
	struct parents        *parents; /* owned: how we log on to them; null: to none */
	bool                   lingers; /* threads of a library may be at work: nothing is cleaned up at the end of the program */
	char                   via_host[HOSTNAME_MAX + 3];
	struct doctor_target  *target; /* owned */
	size_t                 n, more; /* targets; those that did not fit */
	struct doctor_row     *row;    /* owned; row t * lanes + l is of target t by way l (doctor_lane); those that are not its ways are not-tried */
	unsigned               lanes;
	size_t                 done;   /* targets */
	bool                   interrupted; /* somebody could not wait: of those that are done, all is known */
	uint64_t               took_ms;
	struct loop           *loop;
};

/* Numbers that all forms tell. */
struct checkup_sum {
	size_t failing, slow, unknown; /* targets: something that counts is bad; nothing is, but slow; not tried at all */
	bool   no_gateway;             /* each way through the gateway ended at it */
};
struct checkup_sum checkup_sum(const struct checkup *c);
/* The worst row of a target that counts; null: all is well. */
const struct doctor_row *checkup_worst(const struct checkup *c, size_t target);

/* Is it known what there is to be known of it? */
bool checkup_was_tested(const struct checkup *c, size_t target);
/* Does any target go this way? */
bool checkup_uses(const struct checkup *c, unsigned lane);
/* "direct", "gateway"; "parent NAME", as it came. */
void checkup_way(const struct checkup *c, const struct doctor_row *r, char out[DOCTOR_PARENT_NAME + 8]);

void checkup_print(const struct checkup *c);
void checkup_print_json(const struct checkup *c);
/* As monitoring-plugins want it: one line, its exit code. */
int  checkup_print_nagios(const struct checkup *c);

/* --- doctor_parents.c --- */
/* Makes ready what each parent wants to know of us; one for which that cannot be done from here is not present, and says why. Waits for a domain that does not
 * answer, but not for ever. False: no memory. Those that no target goes through are left alone. */
bool parents_log_on(struct checkup *c);
void parents_free(struct parents *p); /* wipes; takes NULL */

/* --- doctor_watch.c --- */
/* What the running gateway's doctor process found last; the exit code. */
int  doctor_watch_ask(const char *control, const char *conf, bool json);
/* "15m"; at least a second. */
bool doctor_watch_time(const char *text, uint64_t *ms);
/* `once` again and again, until the program is ended; `titles`: each with its time above it. Comes back with the exit code when the first cannot be made, or nobody
 * reads any more. */
int  doctor_watch_run(uint64_t every_ms, bool titles, int (*once)(void *arg), void *arg);

#endif
