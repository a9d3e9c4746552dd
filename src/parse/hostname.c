/* SPDX-License-Identifier: MIT */
#include "parse/hostname.h"

#include <idn2.h>

#include "parse/octet.h"

/* Bytes of UTF-8 that can still shrink to a name of HOSTNAME_MAX. */
#define INPUT_MAX 1024
#define LABEL_MAX 63

enum shape {
	SHAPE_BAD,
	SHAPE_NAME,   /* letters, digits, hyphens, underscores in good labels */
	SHAPE_NUMBER, /* ends in a number: an address or a trap */
	SHAPE_IDNA    /* holds an A-label or bytes beyond ASCII */
};

static bool
label_is_good(const char *label, size_t n)
{
	return n > 0 && n <= LABEL_MAX && label[0] != '-' && label[n - 1] != '-';
}

static bool
label_is_alabel(const char *label, size_t n)
{
	return n >= 4 && memcmp(label, "xn--", 4) == 0;
}

/* WHATWG URL "ends in a number": all digits, or 0x and hexadecimal digits. inet_aton and its kin read each of them as an address. */
static bool
label_is_number(const char *label, size_t n)
{
	size_t i = 0;

	while (i < n && octet_is(label[i], OCTET_DIGIT))
		i++;
	if (i == n)
		return true;
	if (n < 2 || label[0] != '0' || label[1] != 'x')
		return false;
	for (i = 2; i < n && octet_is(label[i], OCTET_HEX);)
		i++;
	return i == n;
}

/* Lower-case `in`, less one trailing dot, into `out` and look at its labels. The text of SHAPE_NAME and SHAPE_NUMBER is complete; so
 * is that of SHAPE_IDNA when every byte was ASCII. */
static enum shape
ascii_read(struct span in, struct host *out)
{
	size_t label = 0, i;
	bool   alabel = false;

	if (in.n > 0 && in.p[in.n - 1] == '.')
		in.n--;
	for (i = 0; i < in.n && i < HOSTNAME_MAX; i++) {
		char c = in.p[i];
		if (!octet_is(c, OCTET_NAME))
			return c & 0x80 ? SHAPE_IDNA : SHAPE_BAD;
		out->text[i] = ascii_lower(c);
		if (c != '.')
			continue;
		if (!label_is_good(out->text + label, i - label))
			return SHAPE_BAD;
		alabel |= label_is_alabel(out->text + label, i - label);
		label = i + 1;
	}
	/* a long one may still shrink when it is UTF-8 */
	if (i < in.n) {
		while (i < in.n && !(in.p[i] & 0x80))
			i++;
		return i < in.n ? SHAPE_IDNA : SHAPE_BAD;
	}
	if (!label_is_good(out->text + label, i - label))
		return SHAPE_BAD;
	out->text[i] = '\0';
	out->n = (uint8_t)i;
	if (label_is_number(out->text + label, i - label))
		return SHAPE_NUMBER;
	return alabel || label_is_alabel(out->text + label, i - label) ? SHAPE_IDNA : SHAPE_NAME;
}

/* UTS 46 mapping, then IDNA2008 A-labels; A-labels that are there already are checked by a round trip. */
static enum shape
idna_read(struct span in, struct host *out)
{
	char       text[INPUT_MAX + 1];
	uint8_t   *ascii = NULL;
	enum shape shape = SHAPE_BAD;

	if (in.n > INPUT_MAX || memchr(in.p, '\0', in.n))
		return SHAPE_BAD;
	memcpy(text, in.p, in.n);
	text[in.n] = '\0';
	if (idn2_lookup_u8((const uint8_t *)text, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
		return SHAPE_BAD;
	/* the mapping can make any ASCII out of compatibility characters: dots, digits, slashes */
	shape = ascii_read(span_str((const char *)ascii), out);
	idn2_free(ascii);
	return shape == SHAPE_IDNA ? SHAPE_NAME : shape;
}

static bool
addr_settle(struct host *out)
{
	out->kind = HOST_ADDR;
	out->n = (uint8_t)addr_print(&out->addr, out->text);
	return true;
}

bool
host_parse(struct span in, struct host *out)
{
	enum shape shape;

	if (in.n == 0)
		return false;
	if (in.p[0] == '[') {
		struct span inner = {in.p + 1, in.n - 2};
		if (in.n < 4 || in.p[in.n - 1] != ']' || !memchr(inner.p, ':', inner.n) || !addr_parse(inner, &out->addr))
			return false;
		return addr_settle(out);
	}
	shape = ascii_read(in, out);
	if (shape == SHAPE_IDNA)
		shape = idna_read(in, out);
	out->kind = HOST_NAME;
	if (shape == SHAPE_NUMBER)
		return addr_parse(host_span(out), &out->addr) && addr_settle(out);
	return shape == SHAPE_NAME;
}

bool
hostname_is_canonical(struct span in)
{
	size_t label = 0;

	if (in.n == 0 || in.n > HOSTNAME_MAX)
		return false;
	for (size_t i = 0; i < in.n; i++) {
		if (!octet_is(in.p[i], OCTET_NAME) || ascii_lower(in.p[i]) != in.p[i])
			return false;
		if (in.p[i] != '.')
			continue;
		if (!label_is_good(in.p + label, i - label) || label_is_alabel(in.p + label, i - label))
			return false;
		label = i + 1;
	}
	return label_is_good(in.p + label, in.n - label) && !label_is_alabel(in.p + label, in.n - label) &&
	       !label_is_number(in.p + label, in.n - label);
}
