/* SPDX-License-Identifier: MIT */
/*
 * dns_server: a DNS server for tests, on the test's own event loop, that answers oddly on demand. UDP and TCP on one loopback port.
 */
#ifndef POSTERN_TESTS_DNS_SERVER_H
#define POSTERN_TESTS_DNS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/loop.h"
#include "net/resolve_answer.h"

enum dns_how {
	DNS_ADDRS,      /* the addresses, or none (NODATA) */
	DNS_RCODE,      /* an error of that number */
	DNS_SILENT,     /* nothing at all */
	DNS_HELD,       /* as DNS_ADDRS, when dns_server_release is called */
	DNS_TRUNCATED,  /* TC over UDP, the addresses over TCP */
	DNS_STRANGERS,  /* wrong id, wrong question, rubbish, an empty packet; then the addresses */
	DNS_RUBBISH,    /* a header and question as they should be, then broken records */
	DNS_NO_EDNS,    /* `rcode`, or FORMERR, without OPT to a question with OPT */
	DNS_MANY,       /* `count` addresses, over TCP */
	DNS_LARGE,      /* `count` addresses in one datagram, whatever was allowed */
	DNS_PARTIAL,    /* TC and the addresses over UDP; TCP is closed without an answer */
	DNS_HANGING,    /* TC over UDP, nothing over TCP */
	DNS_FLOOD,      /* 200 packets that answer nothing, then the addresses */
	DNS_CHAIN,      /* `count` CNAMEs before the addresses, the last one first when `backwards` */
	DNS_LOOP,       /* two CNAMEs in a circle */
	DNS_FOREIGN,    /* addresses of another name */
};

struct dns_row {
	const char  *name;
	enum dns_how a_how, aaaa_how;
	const char  *a, *aaaa; /* addresses, blanks between */
	uint32_t     ttl;
	unsigned     rcode, count;
	bool         backwards;
	uint32_t     soa_minimum; /* 0: no SOA with a negative answer */
};

#define DNS_LOG_MAX 4096
#define DNS_CONNS   128

struct dns_conn {
	struct dns_server *server;
	int                fd; /* -1: free */
	struct watch       watch;
	size_t             n;
	uint8_t            in[1500];
};

struct dns_server {
	struct loop          *loop;
	const struct dns_row *rows; /* ends with a null name; names not there: NXDOMAIN */
	struct endpoint       at;
	int                   udp, tcp;
	struct watch          udp_watch, tcp_watch;
	struct dns_conn       conn[DNS_CONNS];
	unsigned              n_log;
	char                  log[DNS_LOG_MAX][80]; /* "A name", in the order of asking; "A/tcp name" */
	bool                  edns[DNS_LOG_MAX];
	unsigned              n_ports;
	uint16_t              port[DNS_LOG_MAX]; /* that questions came from, each once */
	uint16_t              id[DNS_LOG_MAX];   /* of each question */
	bool                  deaf; /* nothing is answered, or noted */
	bool                  released;
	unsigned              n_held;
	struct dns_held {
		struct sockaddr_in from;
		uint8_t            packet[512];
		size_t             n;
	} held[16];
};

void dns_server_open(struct dns_server *s, struct loop *l, const struct dns_row *rows);
void dns_server_close(struct dns_server *s);
void dns_server_release(struct dns_server *s);
/* Nobody listens for UDP; and again, at the same port. */
void dns_server_leave(struct dns_server *s);
void dns_server_return(struct dns_server *s);
/* How many questions were logged as this. */
unsigned dns_server_asked(const struct dns_server *s, const char *what);

#endif
