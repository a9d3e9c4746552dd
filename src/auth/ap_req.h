/* SPDX-License-Identifier: MIT */
/*
 * ap_req: what a Kerberos token says in the clear (RFC 4120 5.5.1, 5.3): which service the ticket is for, under which key. Pure.
 * Nothing here is proved: it serves to explain a refusal, never to let somebody in.
 */
#ifndef POSTERN_AUTH_AP_REQ_H
#define POSTERN_AUTH_AP_REQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define AP_REQ_NAME_MAX 192u

struct ap_req {
	struct span message;                 /* the AP-REQ itself; points into the token */
	char        server[AP_REQ_NAME_MAX]; /* "HTTP/proxy.corp.example@CORP.EXAMPLE"; other than printable ASCII is '?'; cut when too long */
	int32_t     etype;                   /* of the ticket */
	uint32_t    kvno;                    /* of the service's key; 0: the ticket does not say */
};
/* `token`: SPNEGO or a bare Kerberos token (RFC 4121 4.1). False: no AP-REQ in it, or a damaged one. */
bool ap_req_read(struct span token, struct ap_req *out);

#endif
