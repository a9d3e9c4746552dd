/* SPDX-License-Identifier: MIT */
/* suggest_logs: the same evidence, of the lines of access logs. What squid's format says is too little: no fault and no user agent. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/suggest.h"
#include "logread/reader.h"

static enum fault
fault_of(struct span word)
{
	for (unsigned f = FAULT_NONE + 1; f < FAULT_COUNT; f++)
		if (span_eq(span_str(fault_row((enum fault)f)->word), word))
			return (enum fault)f;
	return FAULT_NONE;
}

/* False: it says too little, or names no host. */
static bool
event_of(const struct log_entry *e, struct evidence_event *ev, struct url *url)
{
	*ev = (struct evidence_event){
		.agent = e->user_agent,
		.detail = e->tls_detail,
		.client = e->client,
		.when_us = e->end_us,
		.status = e->status,
		.fault = fault_of(e->fault),
		.is_connect = span_eq(e->method, SPAN("CONNECT")),
		.is_decided = e->action.n > 0,
	};
	if (e->kind != LOG_KIND_JSON || !e->has_client || e->url.n == 0)
		return false;
	if (ev->is_connect ? !authority_parse_connect(e->url, &url->at) : !url_parse(e->url, url))
		return false;
	ev->https = ev->is_connect || url->scheme == SCHEME_HTTPS;
	ev->host = host_span(&url->at.host);
	ev->port = url->at.port;
	return ev->port != 0;
}

static int
read_log(const char *path, struct evidence *e, uint64_t *lines, uint64_t *skipped)
{
	int                   fd = open(path, O_RDONLY | O_CLOEXEC);
	struct log_reader    *r = fd < 0 ? NULL : log_reader_new(fd, 0);
	struct log_entry      entry;
	struct evidence_event ev;
	struct url            url;
	const char           *why = "";
	enum log_read         got;

	if (!r)
		return cli_file_error(path, fd < 0 ? strerror(errno) : "out of memory");
	while ((got = log_reader_next(r, &entry, &why)) == LOG_READ_ENTRY || got == LOG_READ_BAD)
		if (got == LOG_READ_ENTRY && event_of(&entry, &ev, &url))
			evidence_note(e, &ev);
		else
			++*skipped;
	*lines += log_reader_lines(r);
	if (got == LOG_READ_FAILED)
		cli_file_error(path, why);
	log_reader_free(r);
	return got == LOG_READ_FAILED ? CLI_USAGE : CLI_FINE;
}

int
suggest_read_logs(const char *const *path, size_t n, struct evidence *e, uint64_t *lines, uint64_t *skipped)
{
	int code = CLI_FINE;

	for (size_t i = 0; i < n && code == CLI_FINE; i++)
		code = read_log(path[i], e, lines, skipped);
	return code;
}
