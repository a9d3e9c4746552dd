/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proc/commands.h"

static void
texts_json(FILE *f, const char *key, const char *texts, size_t size, uint64_t n)
{
	char line[6 * EVIDENCE_AGENT_MAX + 8];

	fprintf(f, ",\"%s\":[", key);
	for (uint64_t i = 0; i < n; i++)
		fprintf(f, "%s%s", i ? "," : "", control_escape_json(span_str(texts + i * size), line, sizeof line));
	putc(']', f);
}

static void
row_json(FILE *f, const struct evidence_row *r)
{
	char host[6 * sizeof r->host + 8], client[ADDR_TEXT_MAX];

	fprintf(f, "{\"kind\":\"%s\",\"host\":%s,\"port\":%" PRIu64 ",\"https\":%s,\"count\":%" PRIu64 ",\"first_us\":%" PRIu64 ",\"last_us\":%" PRIu64 ",\"more\":%" PRIu64 ",\"who\":[",
	    evidence_word((enum evidence_kind)r->kind), control_escape_json(span_str(r->host), host, sizeof host), r->port & 0xffff, r->https ? "true" : "false", r->count, r->first_us,
	    r->last_us, r->more);
	for (uint64_t i = 0; i < r->n_who; i++) {
		addr_print(&r->who[i].client, client);
		fprintf(f, "%s{\"client\":\"%s\",\"agent\":%" PRIu32 ",\"count\":%" PRIu64 "}", i ? "," : "", client, r->who[i].agent, r->who[i].count);
	}
	putc(']', f);
	texts_json(f, "agents", r->agent[0], EVIDENCE_AGENT_MAX, r->n_agents);
	texts_json(f, "details", r->detail[0], EVIDENCE_DETAIL_MAX, r->n_details);
	fputs("}\n", f);
}

void
answer_suggest(struct commands *m, struct control_client *c)
{
	struct evidence_row r;
	char               *text = NULL;
	size_t              n = 0;
	FILE               *f = open_memstream(&text, &n);

	for (uint32_t i = 0; f && m->shared && i < EVIDENCE_HOSTS; i++)
		if (evidence_read(&m->shared->evidence, i, &r))
			row_json(f, &r);
	if (f && fclose(f) != 0)
		f = NULL;
	if (f)
		control_lines(c, '.', text, n);
	else
		control_say(c, 'e', "out of memory");
	free(text);
	control_end(c, f ? 0 : 1);
}
