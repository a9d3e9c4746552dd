/* SPDX-License-Identifier: MIT */
/*
 * list: what is under way in one worker, written for the parent to a memory file of a size that is sealed: in slices, between events, so that nothing waits.
 * Sessions come and go meanwhile: each that is there all the time is written once.
 * Connections that wait for their next request are left out.
 */
#ifndef POSTERN_SESSION_LIST_H
#define POSTERN_SESSION_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"
#include "session/gateway.h"

#define LIST_MAGIC UINT32_C(0x7473696c)

/* One row, followed by its texts, one after the other. */
struct list_row {
	uint32_t        magic;
	uint32_t        worker;
	uint64_t        id; /* as the access log will have it */
	uint64_t        start_real_us;
	uint64_t        bytes_in, bytes_out;
	struct endpoint client;
	uint16_t        port;
	uint8_t         state;  /* enum session_state */
	uint8_t         action; /* enum action; LIST_NO_ACTION: not decided */
	bool            is_tunnel;
	uint16_t        len[5]; /* of each text of enum list_text */
};
enum list_text { LIST_HOST, LIST_METHOD, LIST_USER, LIST_LISTENER, LIST_RULE, LIST_TEXTS };
#define LIST_NO_ACTION 255u
#define LIST_TEXT_MOST 255u /* bytes of one text; the rest is cut */

struct session_list;

/* Begin; a list that is being written is given up. Owns fd. `done` is called once, when all is written, or not all could be (whole: false). */
void session_list_begin(struct gateway *gw, int fd, uint64_t number, void (*done)(void *arg, uint64_t number, bool whole), void *arg);
/* This session is going: the list steps over it. */
void session_list_forget(struct session_list *l, struct session *s);
void session_list_free(struct session_list *l);

const char *session_state_word(uint8_t state); /* "head", "tunnel" ...; "?" */

#endif
