/* SPDX-License-Identifier: MIT */
/*
 * kerberos_probe: plays client and gateway to the kerberos back end, each with real tokens.
 *
 *   kerberos_probe KEYTAB [as UID] WORD...
 *
 * `as`: opens the keytab, then becomes that user, undumpable, as the auth process does. Words, in order: to NAME (HTTP@proxy.corp.example); bare, spnego: how tokens are dressed from here on; ask: one ticket, checked; twice: the same
 * ticket twice; legs: a log-on of three messages, with a reload of the keytab between; reload KEYTAB; stranger: legs, but the answer comes from
 * another address; damaged; pac; keys; mechs: foreign mechanisms in this process; cache: does a ping say well?; bench N (tickets made beforehand).
 * One line of output for each check: result account realm token-bytes pac-bytes detail.
 */
#include <fcntl.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "auth/back_ops.h"
#include "base/clock.h"

static gss_OID_desc   kerberos = {9, (void *)(uintptr_t) "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"};
static gss_OID_desc   spnego = {6, (void *)(uintptr_t) "\x2b\x06\x01\x05\x05\x02"};
static gss_OID        dress = &spnego;
static const char    *service = "HTTP@proxy.corp.example";
static struct back   *back;
static struct ask     ask = {.op = ASK_KERBEROS, .timeout_ms = 5000};

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static struct back *
open_back(const char *file)
{
	char         why[BACK_WHY_MAX] = "";
	int          fd = open(file, O_RDONLY | O_CLOEXEC);
	struct back *b = fd < 0 ? NULL : back_kerberos_ops.open(NULL, fd, why);

	if (!b)
		die(file, why);
	close(fd);
	return b;
}

/* As the parent does: the descriptor outlives the right to open the path. */
static struct back *
open_as(const char *file, uid_t uid)
{
	char         why[BACK_WHY_MAX] = "";
	int          fd = open(file, O_RDONLY | O_CLOEXEC);
	struct back *b;

	if (fd < 0 || setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		die(file, "cannot change over");
	if (open(file, O_RDONLY | O_CLOEXEC) >= 0)
		die(file, "can be opened by anybody");
	b = back_kerberos_ops.open(NULL, fd, why);
	if (!b)
		die(file, why);
	close(fd);
	return b;
}

/* The client's next token. */
static gss_buffer_desc
client_step(gss_ctx_id_t *context, OM_uint32 flags, struct span answer)
{
	gss_buffer_desc text = {strlen(service), (void *)(uintptr_t)service}, in = {answer.n, (void *)(uintptr_t)answer.p}, out = GSS_C_EMPTY_BUFFER;
	gss_name_t      name;
	OM_uint32       major, minor, none, more = 0;

	gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &name);
	major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, context, name, dress, flags, 0, GSS_C_NO_CHANNEL_BINDINGS, &in, NULL, &out, NULL, NULL);
	gss_release_name(&none, &name);
	if (GSS_ERROR(major)) {
		gss_display_status(&none, minor, GSS_C_MECH_CODE, dress, &more, &text);
		die("client", text.value);
	}
	return out;
}

static void
check(gss_buffer_desc token, struct answer *out)
{
	static const char *const word[ASK_RESULTS] = {"ok", "continue", "refused", "bad-token", "limited", "unavailable"};

	ask.part[0] = span_of(token.value, token.length);
	memset(out, 0, sizeof *out);
	back_kerberos_ops.check(back, 0, &ask, out);
	printf("%s %s %s %u %u %s\n", word[out->result], out->account[0] ? out->account : "-", out->realm[0] ? out->realm : "-", out->n_token, out->n_pac,
	       out->detail);
}

static gss_buffer_desc
ticket(void)
{
	gss_ctx_id_t    context = GSS_C_NO_CONTEXT;
	OM_uint32       minor;
	gss_buffer_desc token = client_step(&context, GSS_C_MUTUAL_FLAG, SPAN(""));

	gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
	return token;
}

static void
tries(unsigned times, bool damaged)
{
	gss_buffer_desc token = ticket();
	struct answer   a;
	OM_uint32       minor;

	if (damaged)
		((char *)token.value)[token.length - 8] ^= 1;
	for (unsigned i = 0; i < times; i++) {
		check(token, &a);
		answer_clear(&a);
	}
	gss_release_buffer(&minor, &token);
}

static void
legs(const char *keytab, bool stranger)
{
	gss_ctx_id_t    context = GSS_C_NO_CONTEXT;
	struct answer   a = {.result = ASK_CONTINUE};
	OM_uint32       minor;

	for (unsigned i = 0; i < 4 && a.result == ASK_CONTINUE; i++) {
		gss_buffer_desc token = client_step(&context, GSS_C_MUTUAL_FLAG | GSS_C_DCE_STYLE, span_of(a.token, a.n_token));
		struct back    *old = back;

		ask.handle = a.handle;
		answer_clear(&a);
		if (i > 0) {
			back = open_back(keytab);
			back_kerberos_ops.close(old);
			ask.client.b[15] = stranger ? 9 : 0;
		}
		check(token, &a);
		gss_release_buffer(&minor, &token);
	}
	ask.handle = 0;
	ask.client.b[15] = 0;
	answer_clear(&a);
	gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
}

static void
bench(unsigned n)
{
	gss_buffer_desc *token = calloc(n, sizeof *token);
	struct answer    a = {.result = ASK_OK};
	uint64_t         begin, end;
	unsigned         good = 0;
	OM_uint32        minor;

	for (unsigned i = 0; i < n; i++)
		token[i] = ticket();
	begin = clock_mono_us();
	for (unsigned i = 0; i < n; i++) {
		ask.part[0] = span_of(token[i].value, token[i].length);
		back_kerberos_ops.check(back, 0, &ask, &a);
		good += a.result == ASK_OK;
		answer_clear(&a);
	}
	end = clock_mono_us();
	printf("%u of %u good, %.0f a second\n", good, n, n * 1e6 / (double)(end - begin));
	for (unsigned i = 0; i < n; i++)
		gss_release_buffer(&minor, &token[i]);
	free(token);
}

/* Is a mechanism's plug-in mapped? */
static void
mechs(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char  line[4096];
	bool  foreign = false;

	while (maps && fgets(line, sizeof line, maps))
		foreign |= strstr(line, "ntlmssp") != NULL;
	if (maps)
		fclose(maps);
	puts(foreign ? "foreign mechanisms" : "no foreign mechanisms");
}

static void
say(void *arg, bool fault, const char *text)
{
	(void)arg;
	(void)fault;
	puts(text);
}

int
main(int argc, char **argv)
{
	const char *keytab = argc > 1 ? argv[1] : "";
	char        why[BACK_WHY_MAX] = "";
	int         first = 2;

	if (!back_kerberos_ops.load(why))
		die("load", why);
	if (argc > 3 && strcmp(argv[2], "as") == 0) {
		back = open_as(keytab, (uid_t)strtoul(argv[3], NULL, 10));
		first = 4;
	} else
		back = open_back(keytab);
	for (int i = first; i < argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "to") == 0 && i + 1 < argc)
			service = argv[++i];
		else if (strcmp(word, "bare") == 0)
			dress = &kerberos;
		else if (strcmp(word, "spnego") == 0)
			dress = &spnego;
		else if (strcmp(word, "ask") == 0)
			tries(1, false);
		else if (strcmp(word, "twice") == 0)
			tries(2, false);
		else if (strcmp(word, "damaged") == 0)
			tries(1, true);
		else if (strcmp(word, "legs") == 0 || strcmp(word, "stranger") == 0)
			legs(keytab, *word == 's');
		else if (strcmp(word, "pac") == 0)
			ask.wants_pac = true;
		else if (strcmp(word, "keys") == 0)
			back_kerberos_ops.describe(back, say, NULL);
		else if (strcmp(word, "mechs") == 0)
			mechs();
		else if (strcmp(word, "cache") == 0)
			puts(back_kerberos_ops.ping(back, 0, why) ? "cache ok" : why);
		else if (strcmp(word, "bench") == 0 && i + 1 < argc)
			bench((unsigned)strtoul(argv[++i], NULL, 10));
		else
			die(word, "no such word");
	}
	back_kerberos_ops.close(back);
	return 0;
}
