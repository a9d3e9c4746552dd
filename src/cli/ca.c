/* SPDX-License-Identifier: MIT */
/*
 * ca: `postern ca init` makes an authority for inspection. `postern ca show` (ca_show.c) tells what clients must trust.
 * Always true: the key is in a file of mode 0600 from its first byte on; what was there before stays whole when something fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/ca.h"
#include "cli/cli.h"
#include "tls/mint.h"

#define DEFAULT_NAME "Postern inspection CA"
#define DEFAULT_DAYS 1825u
#define MOST_DAYS    7300u
#define MOST_PERMITS 100u

/* One file that comes to its place in one step. */
struct place {
	const char *path;
	char        made[PATH_MAX]; /* beside it, under another name; "": not there */
	bool        swapped;        /* `made` is the one that was there before */
	bool        placed;
};

struct init {
	struct mint_ca_want want;
	const char         *permit[MOST_PERMITS];
	bool                force;
	struct place        key, cert;
};

const char ca_usage[] =
    "usage: postern ca init --cert FILE --key FILE [--name NAME] [--organisation NAME] [--rsa] [--days N] [--permit DOMAIN]... [--force]\n"
    "       postern ca show [-c FILE | --cert FILE] [--pem | --der FILE | --json]\n"
    "init makes an authority for inspection: a key (mode 0600) and its certificate, which clients are to trust.\n"
    "      --cert FILE          the certificate, PEM\n"
    "      --key FILE           the key, PEM; whoever can read it can pose as any server to these clients\n"
    "      --name NAME          what clients see as its name (" DEFAULT_NAME ")\n"
    "      --organisation NAME  whose it is\n"
    "      --rsa                RSA, 3072 bits; else ECDSA, P-256\n"
    "      --days N             how long it is valid (1825)\n"
    "      --permit DOMAIN      it may sign for DOMAIN and what is below it only; may be given again\n"
    "      --force              replace files that are there\n"
    "show tells what clients must trust, and how to bring it to them.\n"
    "  -c, --config FILE  the configuration that names the certificate (" CLI_DEFAULT_CONF ")\n"
    "      --cert FILE    the certificate itself\n"
    "      --pem          nothing but the certificate, PEM\n"
    "      --der FILE     write the certificate to FILE, DER\n"
    "      --json         one JSON object on standard output\n"
    "exit code: 0 done, 1 show: clients will not take this certificate, 2 usage, or a file that cannot be read or written\n";

/* --- files --- */

static bool
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return fsync(fd) == 0;
}

/* Beside its place, whole and on the disk. */
static bool
place_make(struct place *p, mode_t mode, struct span bytes)
{
	int n = snprintf(p->made, sizeof p->made, "%s.%ld.new", p->path, (long)getpid()), fd;

	if (n < 0 || (size_t)n >= sizeof p->made) {
		p->made[0] = '\0';
		errno = ENAMETOOLONG;
		return false;
	}
	fd = open(p->made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		p->made[0] = '\0';
		return false;
	}
	if (!write_all(fd, bytes.p, bytes.n)) {
		int error = errno;
		close(fd);
		errno = error;
		return false;
	}
	return close(fd) == 0;
}

static bool
is_file(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode));
}

static bool
place_put(struct place *p, bool force)
{
	p->placed = renameat2(AT_FDCWD, p->made, AT_FDCWD, p->path, RENAME_NOREPLACE) == 0;
	if (p->placed)
		p->made[0] = '\0';
	else if (errno == EEXIST && force && !is_file(p->path))
		errno = EISDIR; /* or something else that nobody meant */
	else if (errno == EEXIST && force)
		p->placed = p->swapped = renameat2(AT_FDCWD, p->made, AT_FDCWD, p->path, RENAME_EXCHANGE) == 0;
	return p->placed;
}

/* As if nothing had happened. */
static void
place_undo(struct place *p)
{
	if (p->placed && !p->swapped)
		unlink(p->path);
	else if (p->swapped)
		renameat2(AT_FDCWD, p->made, AT_FDCWD, p->path, RENAME_EXCHANGE);
	if (p->made[0])
		unlink(p->made);
}

static void
place_end(struct place *p)
{
	if (p->made[0])
		unlink(p->made); /* what was there before */
}

static bool
place_all(struct init *i, struct span key, struct span cert, const struct place **failed)
{
	*failed = &i->key;
	if (!place_make(&i->key, 0600, key))
		return false;
	*failed = &i->cert;
	if (!place_make(&i->cert, 0644, cert))
		return false;
	*failed = &i->key;
	if (!place_put(&i->key, i->force))
		return false;
	*failed = &i->cert;
	return place_put(&i->cert, i->force);
}

/* --- the authority --- */

static int
init_write(struct init *i, X509 *cert, EVP_PKEY *key)
{
	BIO                *kb = BIO_new(BIO_s_mem()), *cb = BIO_new(BIO_s_mem());
	char               *kp = NULL, *cp = NULL;
	long                kn = 0, cn = 0;
	const struct place *failed;
	int                 code = CLI_FINE, error;

	if (!kb || !cb || !PEM_write_bio_PKCS8PrivateKey(kb, key, NULL, NULL, 0, NULL, NULL) || !PEM_write_bio_X509(cb, cert)) {
		code = cli_usage_error("out of memory");
	} else {
		kn = BIO_get_mem_data(kb, &kp);
		cn = BIO_get_mem_data(cb, &cp);
		if (place_all(i, span_of(kp, (size_t)kn), span_of(cp, (size_t)cn), &failed)) {
			place_end(&i->key);
			place_end(&i->cert);
		} else {
			error = errno;
			place_undo(&i->cert);
			place_undo(&i->key);
			code = cli_file_error(failed->path, error == EEXIST ? "is there already; --force replaces it, and clients then have to trust the new one" : strerror(error));
		}
	}
	if (kp)
		OPENSSL_cleanse(kp, (size_t)kn);
	BIO_free(kb);
	BIO_free(cb);
	ERR_clear_error();
	return code;
}

static int
init(struct init *i)
{
	X509       *cert;
	EVP_PKEY   *key;
	const char *why;
	int         code;

	if (!i->force && (access(i->key.path, F_OK) == 0 || access(i->cert.path, F_OK) == 0))
		return cli_file_error(access(i->key.path, F_OK) == 0 ? i->key.path : i->cert.path,
		    "is there already; --force replaces it, and clients then have to trust the new one");
	if (!mint_ca_make(&i->want, (int64_t)time(NULL), &cert, &key, &why))
		return cli_usage_error("%s", why);
	code = init_write(i, cert, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	if (code != CLI_FINE)
		return code;
	cli_print(stdout, span_str(i->cert.path));
	fputs(": the certificate; `postern ca show --cert ", stdout);
	cli_print(stdout, span_str(i->cert.path));
	fputs("` says how clients come to trust it\n", stdout);
	cli_print(stdout, span_str(i->key.path));
	fputs(": its key; keep it to yourself\n", stdout);
	return CLI_FINE;
}

static bool
days_read(const char *text, unsigned *out)
{
	char         *end;
	unsigned long n = strtoul(text, &end, 10);

	*out = (unsigned)n;
	return *text >= '0' && *text <= '9' && !*end && n >= 1 && n <= MOST_DAYS;
}

static int
cli_ca_init(int argc, char **argv)
{
	static const struct option options[] = {{"cert", required_argument, NULL, 'c'}, {"key", required_argument, NULL, 'k'}, {"name", required_argument, NULL, 'n'},
		{"organisation", required_argument, NULL, 'o'}, {"rsa", no_argument, NULL, 'r'}, {"days", required_argument, NULL, 'd'},
		{"permit", required_argument, NULL, 'p'}, {"force", no_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0}};
	struct init i = {.want = {.name = DEFAULT_NAME, .days = DEFAULT_DAYS}};
	int         o;

	i.want.permit = i.permit;
	while ((o = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			i.cert.path = optarg;
			break;
		case 'k':
			i.key.path = optarg;
			break;
		case 'n':
			i.want.name = optarg;
			break;
		case 'o':
			i.want.organisation = optarg;
			break;
		case 'r':
			i.want.rsa = true;
			break;
		case 'd':
			if (!days_read(optarg, &i.want.days))
				return cli_usage_error("--days takes a number from 1 to %u", MOST_DAYS);
			break;
		case 'p':
			if (i.want.n_permit == MOST_PERMITS)
				return cli_usage_error("--permit can be given %u times", MOST_PERMITS);
			i.permit[i.want.n_permit++] = optarg;
			break;
		case 'f':
			i.force = true;
			break;
		default:
			return cli_usage(o, ca_usage);
		}
	}
	if (optind != argc || !i.cert.path || !i.key.path)
		return cli_usage('?', ca_usage);
	if (strcmp(i.cert.path, i.key.path) == 0)
		return cli_usage_error("the certificate is for everybody, the key for nobody: name two files");
	return init(&i);
}

int
cli_ca(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "init") == 0) {
		argv[1] = argv[0];
		return cli_ca_init(argc - 1, argv + 1);
	}
	if (argc >= 2 && strcmp(argv[1], "show") == 0) {
		argv[1] = argv[0];
		return cli_ca_show(argc - 1, argv + 1);
	}
	return cli_usage(argc == 2 ? cli_asks(argv[1]) : '?', ca_usage);
}
