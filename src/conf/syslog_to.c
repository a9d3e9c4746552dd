/* SPDX-License-Identifier: MIT */
#include "conf/syslog_to.h"

#include <string.h>

#include "parse/authority.h"

static const struct {
	const char     *word;
	enum syslog_way way;
	uint16_t        port;
} ways[] = {
	{"udp:", SYSLOG_UDP, 514},
	{"tcp:", SYSLOG_TCP, 514},
	{"tls:", SYSLOG_TLS, 6514},
};

bool
syslog_to_read(struct span in, struct syslog_to *out)
{
	struct authority a;

	memset(out, 0, sizeof *out);
	if (in.n > 5 && memcmp(in.p, "unix:", 5) == 0) {
		if (in.p[5] != '/' || in.n - 5 >= sizeof out->path)
			return false;
		out->way = SYSLOG_UNIX;
		memcpy(out->path, in.p + 5, in.n - 5);
		return !memchr(out->path, '\0', in.n - 5);
	}
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		if (in.n <= 4 || memcmp(in.p, ways[i].word, 4) != 0)
			continue;
		if (!authority_parse(span_of(in.p + 4, in.n - 4), &a))
			return false;
		out->way = ways[i].way;
		out->host = a.host;
		out->port = a.port ? a.port : ways[i].port;
		return true;
	}
	return false;
}
