/* SPDX-License-Identifier: MIT */
#include "auth/sid_names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define WAYS 4u /* places that a SID can be in; the stalest makes room */
#define SETS (SID_NAMES_MAX / WAYS)

struct entry {
	char    *sid; /* owned; the name follows its NUL. Null: free */
	uint64_t until_us;
};

struct sid_names {
	pthread_mutex_t lock;
	struct entry    set[SETS][WAYS];
};

struct sid_names *
sid_names_new(void)
{
	struct sid_names *s = calloc(1, sizeof *s);

	if (s && pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

void
sid_names_free(struct sid_names *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SETS; i++)
		for (size_t k = 0; k < WAYS; k++)
			free(s->set[i][k].sid);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct entry *
set_of(struct sid_names *s, const char *sid)
{
	return s->set[XXH3_64bits(sid, strlen(sid)) % SETS];
}

bool
sid_names_find(struct sid_names *s, const char *sid, uint64_t now_us, char name[ASK_NAME_MAX])
{
	struct entry *set = set_of(s, sid);
	bool          found = false;

	pthread_mutex_lock(&s->lock);
	for (size_t k = 0; k < WAYS && !found; k++)
		if (set[k].sid && set[k].until_us > now_us && strcmp(set[k].sid, sid) == 0) {
			answer_name(name, span_str(set[k].sid + strlen(sid) + 1));
			found = true;
		}
	pthread_mutex_unlock(&s->lock);
	return found;
}

void
sid_names_add(struct sid_names *s, const char *sid, const char *name, uint64_t now_us)
{
	size_t        n_sid = strlen(sid) + 1, n_name = strlen(name) + 1;
	char         *text = malloc(n_sid + n_name);
	struct entry *set = set_of(s, sid), *to = set;

	if (!text)
		return;
	memcpy(text, sid, n_sid);
	memcpy(text + n_sid, name, n_name);
	pthread_mutex_lock(&s->lock);
	for (size_t k = 0; k < WAYS; k++) {
		if (set[k].sid && strcmp(set[k].sid, sid) == 0) {
			to = &set[k];
			break;
		}
		if (!set[k].sid || (to->sid && set[k].until_us < to->until_us))
			to = &set[k];
	}
	free(to->sid);
	*to = (struct entry){text, now_us + (n_name > 1 ? SID_NAMES_TTL_US : SID_NAMES_NONE_US)};
	pthread_mutex_unlock(&s->lock);
}
