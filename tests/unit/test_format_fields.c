/* SPDX-License-Identifier: MIT */
/* w3c, cef and leef: what stands on a line, and that a reader finds it again whatever the texts hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story.h"
#include "audit/format.h"
#include "parse/authority.h"

/* A bypassed tunnel, a request with all there is, one that came to nothing. */
static struct story
story_of(int which)
{
	struct story s = {record_of(which == 0, 200, FAULT_NONE), {0}};

	if (which == 2) {
		s.r = record_of(false, 400, FAULT_BAD_FRAMING);
		s.r.minor = 255;
		s.r.scheme = SCHEME_NONE;
		s.r.port = 0;
		memset(s.r.client.addr.b, 0x20, 16);
		return s;
	}
	s.r.has_action = s.r.has_address = true;
	s.r.hier = HIER_DIRECT;
	s.r.address = addr_from_v4(0x0a000001);
	s.text[RT_LISTENER] = "edge";
	if (which == 0) {
		s.r.action = ACTION_BYPASS;
		s.r.guard = GUARD_WORD_PASSED;
		s.text[RT_METHOD] = "CONNECT", s.text[RT_HOST] = "a.example", s.text[RT_URL] = "a.example:443", s.text[RT_RULE] = "diag", s.text[RT_SNI] = "a.example";
		return s;
	}
	s.r.action = ACTION_DENY;
	s.r.fault = FAULT_DENIED;
	s.r.status = 403;
	s.text[RT_METHOD] = "GET", s.text[RT_HOST] = "b.example", s.text[RT_URL] = "http://u:p@b.example/a|b=c?k=v w\"";
	s.text[RT_USER] = "CORP\\Jo=e|", s.text[RT_RULE] = "no a=b\\c|d", s.text[RT_REPORTED] = "r1,r2", s.text[RT_USER_AGENT] = "M/5 (a=b; c|d) \"+\t%\n\\\xc3\xa9\xff";
	s.text[RT_CONTENT_TYPE] = "text/html; x=y", s.text[RT_REFERER] = "http://u:p@r/x?s=t", s.text[RT_TLS_DETAIL] = "a=b\nc";
	return s;
}

static void
line_of(enum log_format_kind kind, bool query, struct story s, char *buf)
{
	char               why[160];
	struct log_format *f = log_format_new(kind, SPAN(""), query, why);
	struct span        text[RT_COUNT];
	size_t             n;

	assert_non_null(f);
	for (int i = 0; i < RT_COUNT; i++)
		text[i] = span_str(s.text[i]);
	record_size(&s.r, text);
	n = log_format_line(f, &s.r, text, buf);
	assert_ptr_equal(memchr(buf, '\n', n), buf + n - 1);
	buf[n - 1] = '\0';
	log_format_free(f);
}

static void
test_lines_are_as_their_readers_want_them(void **state)
{
	static const struct {
		enum log_format_kind kind;
		int                  story;
		bool                 query;
		const char          *line;
	} rows[] = {
		{LOG_W3C, 0, false, "2023-11-14 22:13:20 45 192.0.2.1 40000 - CONNECT https a.example 443 - - HTTP/1.1 200 TCP_TUNNEL 4321 99 HIER_DIRECT 10.0.0.1 - - - "
		                    "0000000000000abc 0000000000000def edge bypass diag - passed - a.example -"},
		{LOG_W3C, 1, false, "2023-11-14 22:13:20 45 192.0.2.1 40000 CORP\\Jo=e| GET http b.example 80 /a|b=c - HTTP/1.1 403 TCP_DENIED 4321 99 HIER_DIRECT 10.0.0.1 "
		                    "text/html M/5+(a=b;+c|d)+%22%2B%09%25%0A\\%C3%A9%FF http://r/x? 0000000000000abc 0000000000000def edge deny no+a=b\\c|d r1,r2 - denied - -"},
		{LOG_W3C, 1, true, "2023-11-14 22:13:20 45 192.0.2.1 40000 CORP\\Jo=e| GET http b.example 80 /a|b=c k=v%20w%22 HTTP/1.1 403 TCP_DENIED 4321 99 HIER_DIRECT 10.0.0.1 "
		                   "text/html M/5+(a=b;+c|d)+%22%2B%09%25%0A\\%C3%A9%FF http://r/x?s=t 0000000000000abc 0000000000000def edge deny no+a=b\\c|d r1,r2 - denied - -"},
		{LOG_W3C, 2, false, "2023-11-14 22:13:20 45 2020:2020:2020:2020:2020:2020:2020:2020 40000 - - - - - - - - 400 NONE_NONE 4321 99 HIER_NONE - - - - "
		                    "0000000000000abc 0000000000000def - - - - - bad-framing - -"},
		{LOG_CEF, 0, false, "CEF:0|Postern|Postern|" PACKAGE_VERSION "|bypass|A tunnel was let through.|1|rt=1700000000007 externalId=0000000000000abc proto=TCP "
		                    "src=192.0.2.1 spt=40000 dst=10.0.0.1 dpt=443 dhost=a.example app=https requestMethod=CONNECT request=a.example:443 in=99 out=4321 act=bypass "
		                    "outcome=success cs1Label=Rule cs1=diag cs2Label=Result cs2=TCP_TUNNEL cs3Label=Listener cs3=edge cs4Label=SNI cs4=a.example cs5Label=Guard "
		                    "cs5=passed cs6Label=Session cs6=0000000000000def cn1Label=Status cn1=200 cn2Label=Milliseconds cn2=45"},
		{LOG_CEF, 1, false, "CEF:0|Postern|Postern|" PACKAGE_VERSION "|denied|The policy of this network does not allow this request.|5|rt=1700000000007 "
		                    "externalId=0000000000000abc proto=TCP src=192.0.2.1 spt=40000 suser=CORP\\\\Jo\\=e| dst=10.0.0.1 dpt=80 dhost=b.example app=http "
		                    "requestMethod=GET request=http://b.example/a|b\\=c? requestClientApplication=M/5 (a\\=b; c|d) \"+%09%\\n\\\\\xc3\xa9%FF "
		                    "requestContext=http://r/x? in=99 out=4321 act=deny outcome=failure reason=denied msg=a\\=b\\nc cs1Label=Rule cs1=no a\\=b\\\\c|d cs2Label=Result "
		                    "cs2=TCP_DENIED cs3Label=Listener cs3=edge cs6Label=Session cs6=0000000000000def cn1Label=Status cn1=403 cn2Label=Milliseconds cn2=45"},
		{LOG_CEF, 2, false, "CEF:0|Postern|Postern|" PACKAGE_VERSION "|bad-framing|The length of the message body is not clear.|3|rt=1700000000007 "
		                    "externalId=0000000000000abc proto=TCP c6a2Label=Source IPv6 Address c6a2=2020:2020:2020:2020:2020:2020:2020:2020 spt=40000 in=99 out=4321 "
		                    "outcome=failure reason=bad-framing cs2Label=Result cs2=NONE_NONE cs6Label=Session cs6=0000000000000def cn1Label=Status cn1=400 "
		                    "cn2Label=Milliseconds cn2=45"},
		{LOG_LEEF, 0, false, "LEEF:2.0|Postern|Postern|" PACKAGE_VERSION "|bypass|x09|devTime=1700000000007\tcat=Allowed\tsev=1\tproto=TCP\tsrc=192.0.2.1\tsrcPort=40000\t"
		                     "dst=10.0.0.1\tdstPort=443\tsrcBytes=99\tdstBytes=4321\thost=a.example\tscheme=https\tmethod=CONNECT\turl=a.example:443\taction=bypass\t"
		                     "policy=diag\tstatus=200\tresult=TCP_TUNNEL\tguard=passed\tsni=a.example\tlistener=edge\tdurationMs=45\tid=0000000000000abc\t"
		                     "session=0000000000000def"},
		{LOG_LEEF, 1, true, "LEEF:2.0|Postern|Postern|" PACKAGE_VERSION "|denied|x09|devTime=1700000000007\tcat=Denied\tsev=5\tproto=TCP\tsrc=192.0.2.1\tsrcPort=40000\t"
		                    "usrName=CORP\\Jo=e|\tdst=10.0.0.1\tdstPort=80\tsrcBytes=99\tdstBytes=4321\thost=b.example\tscheme=http\tmethod=GET\t"
		                    "url=http://b.example/a|b=c?k=v w\"\tuserAgent=M/5 (a=b; c|d) \"+%09%%0A\\\xc3\xa9%FF\treferrer=http://r/x?s=t\tcontentType=text/html\taction=deny\t"
		                    "policy=no a=b\\c|d\tstatus=403\tresult=TCP_DENIED\tfault=denied\ttlsDetail=a=b%0Ac\tlistener=edge\tdurationMs=45\t"
		                    "id=0000000000000abc\tsession=0000000000000def"},
	};
	char *buf = malloc(LOG_LINE_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		line_of(rows[i].kind, rows[i].query, story_of(rows[i].story), buf);
		assert_string_equal(buf, rows[i].line);
	}
	free(buf);
}

static size_t
count_of(const char *s, char c)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

static void
test_a_w3c_file_begins_with_what_its_fields_are(void **state)
{
	char  head[LOG_HEAD_MAX + 1], drops[LOG_DROPS_MAX + 1], *buf = malloc(LOG_LINE_MAX), *fields;
	size_t n = log_format_head(LOG_W3C, 1700000000007890u, head);

	(void)state;
	head[n] = '\0';
	assert_true(n < LOG_HEAD_MAX && head[n - 1] == '\n');
	assert_non_null(strstr(head, "#Version: 1.0\n#Software: Postern " PACKAGE_VERSION "\n#Date: 2023-11-14 22:13:20\n#Fields: date time time-taken c-ip "));
	fields = strstr(head, "#Fields: ") + strlen("#Fields: ");
	line_of(LOG_W3C, true, story_of(1), buf);
	assert_int_equal(count_of(fields, ' '), count_of(buf, ' '));
	n = log_format_drops(LOG_W3C, 1700000000007890u, UINT64_MAX, drops);
	drops[n] = '\0';
	assert_string_equal(drops, "#Remark: 18446744073709551615 lines were dropped here\n");
	n = log_format_drops(LOG_JSON, 1700000000007890u, UINT64_MAX, drops);
	drops[n] = '\0';
	assert_string_equal(drops, "{\"ts\":\"2023-11-14T22:13:20.007Z\",\"event\":\"dropped\",\"lines\":18446744073709551615}\n");
	assert_int_equal(log_format_head(LOG_CEF, 0, head), 0);
	assert_int_equal(log_format_drops(LOG_LEEF, 0, 1, drops), 0);
	free(buf);
}

/* A reader of CEF as the format's guide has it: bars and backslashes in the head, then " key=", where only a key is followed by a bare '='. */
static void
read_cef(const char *p)
{
	int bars = 0, pairs = 0;

	for (; *p && bars < 7; p++) {
		if (*p == '\\')
			assert_true(*++p == '|' || *p == '\\');
		else
			bars += *p == '|';
	}
	assert_int_equal(bars, 7);
	while (*p) {
		size_t key = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
		assert_true(key > 1 && p[key] == '=');
		for (p += key + 1; *p && *p != '='; p++)
			if (*p == '\\')
				assert_true(*++p && strchr("\\=rn", *p));
		pairs++;
		if (!*p)
			break;
		while (p[-1] != ' ') /* back to the key that this '=' belongs to */
			p--;
	}
	assert_true(pairs >= 8);
}

static void
read_leef(const char *p)
{
	assert_memory_equal(p, "LEEF:2.0|Postern|Postern|", 25);
	for (int bars = 0; bars < 6; p++)
		bars += *p == '|';
	for (; *p; p += strcspn(p, "\t"), p += *p == '\t') {
		size_t key = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
		assert_true(key > 1 && p[key] == '=');
	}
}

static void
test_readers_find_the_fields_of_hostile_texts(void **state)
{
	static const enum log_format_kind kinds[] = {LOG_W3C, LOG_CEF, LOG_LEEF};
	static const char                 pieces[][5] = {"\"", "\\", "\n", "\r", "\t", "|", "=", " x=", "\x7f", "\xc3", "\xc3\xa9", " ", "%", "+", "?", "@", "/", "\x01", "\xff", "a", "#", "-"};
	char    *buf = malloc(LOG_LINE_MAX), *bytes = malloc(RT_COUNT * RECORD_TEXT_MAX), head[LOG_HEAD_MAX + 1];
	uint64_t seed = 88172645463325252u;
	size_t   blanks, n_head;

	(void)state;
	n_head = log_format_head(LOG_W3C, 0, head);
	assert_in_range(n_head, 1, LOG_HEAD_MAX);
	head[n_head] = '\0';
	blanks = count_of(strstr(head, "#Fields: ") + 9, ' ');
	for (unsigned round = 0; round < 1200; round++) {
		enum log_format_kind kind = kinds[round % 3];
		char                 why[160];
		struct log_format   *f = log_format_new(kind, SPAN(""), round % 2, why);
		struct record        r = record_of(round & 4, 200, (enum fault)(round % FAULT_COUNT));
		struct span          text[RT_COUNT];
		size_t               n;

		assert_non_null(f);
		for (int t = 0; t < RT_COUNT; t++) {
			size_t most = round % 60 < 3 ? RECORD_TEXT_MAX : (seed >> 40) % 40, len = 0;
			char  *p = bytes + t * RECORD_TEXT_MAX;
			for (;;) {
				seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
				const char *piece = pieces[round % 120 < 3 ? 7 : seed % (sizeof pieces / sizeof *pieces)];
				if (len + strlen(piece) > most)
					break;
				memcpy(p + len, piece, strlen(piece));
				len += strlen(piece);
			}
			text[t] = span_of(p, len);
		}
		record_size(&r, text);
		n = log_format_line(f, &r, text, buf);
		char *end = memchr(buf, '\n', n);
		assert_true(n <= LOG_LINE_MAX && end == buf + n - 1);
		*end = '\0';
		assert_int_equal(strlen(buf), n - 1);
		for (size_t k = 0; k < n - 1; k++)
			assert_true(((unsigned char)buf[k] >= 0x20 && buf[k] != 0x7f) || (kind == LOG_LEEF && buf[k] == '\t'));
		if (kind == LOG_W3C)
			assert_true(count_of(buf, ' ') == blanks && !strstr(buf, "  ") && !strchr(buf, '"'));
		else if (kind == LOG_CEF)
			read_cef(buf);
		else
			read_leef(buf);
		log_format_free(f);
	}
	free(buf);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_as_their_readers_want_them),
		cmocka_unit_test(test_a_w3c_file_begins_with_what_its_fields_are),
		cmocka_unit_test(test_readers_find_the_fields_of_hostile_texts),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
