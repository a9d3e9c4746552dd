/* SPDX-License-Identifier: MIT */
#include "ipc/names.h"

#include <string.h>

#include "ipc/latest.h"

_Static_assert(sizeof(struct ntlm_names) % sizeof(uint64_t) == 0, "copied by words");

void
names_publish(struct shared_names *s, const struct ntlm_names *n)
{
	latest_put(&s->number, &s->names, n, sizeof *n);
}

bool
names_read(const struct shared_names *s, struct ntlm_names *out)
{
	if (!latest_get(&s->number, &s->names, out, sizeof *out))
		return false;
	out->domain[sizeof out->domain - 1] = out->computer[sizeof out->computer - 1] = 0;
	out->dns_domain[sizeof out->dns_domain - 1] = out->dns_computer[sizeof out->dns_computer - 1] = 0;
	return true;
}

/* Cut to `room` with the NUL, never within a UTF-8 sequence. */
static void
put_name(char *out, size_t room, struct span name)
{
	size_t n = name.n;

	if (n > room - 1)
		for (n = room - 1; n > 0 && ((unsigned char)name.p[n] & 0xc0) == 0x80;)
			n--;
	if (n > 0)
		memcpy(out, name.p, n);
	out[n] = 0;
}

void
names_alone(struct span visible_name, struct ntlm_names *out)
{
	const char *dot = visible_name.n > 0 ? memchr(visible_name.p, '.', visible_name.n) : NULL;
	struct span label = dot ? span_of(visible_name.p, (size_t)(dot - visible_name.p)) : visible_name;

	memset(out, 0, sizeof *out);
	put_name(out->computer, sizeof out->computer, label.n > 0 ? label : SPAN("PROXY"));
	for (char *p = out->computer; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 32);
	memcpy(out->domain, out->computer, sizeof out->domain);
	put_name(out->dns_computer, sizeof out->dns_computer, visible_name);
}
