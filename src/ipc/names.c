/* SPDX-License-Identifier: MIT */
/*
 * names: the lock is a sequence number, odd while its one writer writes; a reader whose copy was disturbed copies again.
 */
#include "ipc/names.h"

#include <string.h>

#define TRIES 1000 /* far more than a living writer can spoil */

_Static_assert(sizeof(struct ntlm_names) == sizeof(char[2 * NAME_NETBIOS_MAX + 2 * NAME_DNS_MAX]), "copied as bytes");

/* Byte by byte, atomically: the other side may be at work on the same bytes. */
static void
copy(char *to, const char *from)
{
	for (size_t i = 0; i < sizeof(struct ntlm_names); i++)
		__atomic_store_n(to + i, __atomic_load_n(from + i, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

void
names_publish(struct shared_names *s, const struct ntlm_names *n)
{
	/* an odd number is left by a writer that died: writing goes on from there */
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed) | 1;

	atomic_store_explicit(&s->seq, seq, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	copy((char *)&s->names, (const char *)n);
	/* after the last number comes 2: 0 says that nothing was ever written */
	atomic_store_explicit(&s->seq, seq + 1 ? seq + 1 : 2, memory_order_release);
}

bool
names_read(const struct shared_names *s, struct ntlm_names *out)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);
		if (seq == 0)
			return false;
		if (seq & 1)
			continue;
		copy((char *)out, (const char *)&s->names);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&s->seq, memory_order_relaxed) != seq)
			continue;
		out->domain[sizeof out->domain - 1] = out->computer[sizeof out->computer - 1] = 0;
		out->dns_domain[sizeof out->dns_domain - 1] = out->dns_computer[sizeof out->dns_computer - 1] = 0;
		return true;
	}
	return false;
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
