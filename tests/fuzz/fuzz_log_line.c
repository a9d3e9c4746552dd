/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "logread/reader.h"

/* Every text stands in the line or in the scratch. */
static void
entry_check(const struct log_entry *e, struct span line, struct span scratch)
{
	const struct span text[] = {e->method, e->url, e->user, e->result, e->hierarchy, e->peer, e->content_type, e->id, e->session, e->listener, e->action, e->rule, e->list_entry,
		e->fault, e->sni, e->user_agent, e->alpn, e->address, e->parent};

	for (size_t i = 0; i < sizeof text / sizeof *text; i++)
		CHECK(span_inside(text[i], line) || span_inside(text[i], scratch));
	CHECK(e->n_groups <= LOG_GROUPS_MAX && e->elapsed_us <= e->end_us && e->status <= 999);
	for (size_t i = 0; i < e->n_groups; i++)
		CHECK(span_inside(e->group[i], line) || span_inside(e->group[i], scratch));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span      line = fuzz_input(data, n), scratch = fuzz_block(data, n); /* decoded, nothing is longer */
	struct log_entry e;
	const char      *why = NULL;

	if (log_entry_parse(line, &e, (char *)(uintptr_t)scratch.p, &why))
		entry_check(&e, line, scratch);
	else
		CHECK(why != NULL);
	fuzz_free(scratch);
	return 0;
}
