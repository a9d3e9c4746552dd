/* SPDX-License-Identifier: MIT */
/*
 * end_parts: what the files of an end share. end.c makes it and shakes hands, end_bio.c joins OpenSSL to the socket, end_carrier.c moves bytes afterwards,
 * end_why.c says what went wrong.
 */
#ifndef POSTERN_TLS_END_PARTS_H
#define POSTERN_TLS_END_PARTS_H

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "tls/end_inside.h"

#define RECORD_MAX  16384u /* plain bytes of one record */
#define NO_ALERT    256u
#define FRESH_MOST  2u     /* sessions that wait for the verdict */
#define SHAKE_MOST  (256u * 1024) /* bytes of the peer's in a handshake: twice what the longest chain needs. OpenSSL skips some messages as long as they come */

struct tls_end {
	struct carrier      carrier; /* first: the end is one */
	struct tls_context *context; /* a reference */
	SSL                *ssl;
	struct side        *side; /* borrowed; outlives the end */
	struct carrier     *under; /* what carried the side before, and carries this: TLS to the proxy, a stream of HTTP/2; null: the socket. Owned once this is the side's carrier */
	char               *hello; /* bytes that were read before there was an end; freed when OpenSSL has them */
	size_t              hello_n, hello_at;
	char               *text; /* tls_end_keep_text */
	struct profile     *profile; /* a reference, or null */
	const SSL_SESSION  *offered; /* that of an earlier connection; only to compare with */
	SSL_SESSION        *fresh[FRESH_MOST]; /* came before the profile did */
	uint64_t            shaken_us; /* monotonic; 0: not yet */
	size_t              stuck; /* plain bytes of a record that is sealed already, and not all sent */
	unsigned            n_fresh;
	unsigned            came; /* bytes, while shaking hands */
	uint16_t            alert; /* that came; NO_ALERT none */
	enum fault          fault;
	const char         *detail; /* static */
	uint64_t            key; /* of sessions */
	uint16_t            port;
	bool                to_origin;
	bool                h2_wanted, h11_wanted;
	bool                plain_http; /* what came instead of a ClientHello */
	bool                asked;  /* the origin wants a certificate of us */
	bool                showed; /* our certificate was sent */
	bool                heard;  /* bytes of the application came */
	bool                dry;    /* the socket is, until the next event */
	bool                eof, reset; /* the socket said so */
	bool                flooded; /* the handshake brought more than SHAKE_MOST */
	bool                failed; /* nothing more can be read or written */
	bool                mute;   /* nothing more can be written */
	bool                bye_due, bye_sent; /* close_notify */
	uint8_t             host_n;
	char                host[]; /* towards an origin: whose sessions these are */
};

static inline struct resume_place
end_place(const struct tls_end *t)
{
	return (struct resume_place){span_of(t->host, t->host_n), t->port, t->key};
}

/* --- end_bio.c --- */
bool end_bio_begin(void);
BIO *end_bio_new(struct tls_end *t);

/* --- end_carrier.c --- */
extern const struct carrier_ops end_ops;

/* --- end_why.c: after a call of OpenSSL's that said anything but "wait": the end failed, or (SSL_ERROR_ZERO_RETURN) was ended. Empties its queue --- */
void end_note(struct tls_end *t, int error);

/* --- end.c: OpenSSL's call-backs --- */
void end_on_info(const SSL *ssl, int where, int value);
int  end_on_certificate_request(SSL *ssl, X509 **cert, EVP_PKEY **key);
int  end_on_session(SSL *ssl, SSL_SESSION *session);
int  end_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n, void *arg);

#endif
