/* SPDX-License-Identifier: MIT */
/*
 * spool: a bounded file of log messages that their server has not taken yet, first in, first out; what is in it survives the process.
 * Knows nothing of what the messages are. May wait for the disk.
 * Always true: the head is written after the data that it speaks of; what is not whole is never handed out; a file that is not a spool is never touched.
 */
#ifndef POSTERN_AUDIT_SPOOL_H
#define POSTERN_AUDIT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

/* Most bytes of one message. */
#define SPOOL_MESSAGE_MAX ((size_t)256 << 10)
#define SPOOL_HEAD        64u /* bytes of the file before the ring */

/* Open or make it, for messages of `size` bytes in all, unless an older one that is not empty was made for another size. NULL: *error (EAGAIN: another
 * process has it; EINVAL: it is no spool, or no file). */
struct spool *spool_open(const char *path, uint64_t size, int *error);
/* Keeps what was not delivered. */
void spool_close(struct spool *s);

/* Append from `p`: messages one after the other, each after its length as uint32_t. Returns bytes taken, whole messages; when that is not all, *error says
 * why (ENOSPC: full, or the disk is). */
size_t spool_put(struct spool *s, const char *p, size_t n, int *error);
/* The next message that was not read yet, to buf (SPOOL_MESSAGE_MAX). *mark: for spool_deliver. False: none. */
bool spool_read(struct spool *s, char *buf, size_t *n, uint64_t *mark);
/* All up to the mark is delivered and forgotten. */
void spool_deliver(struct spool *s, uint64_t mark);
/* What was put counts as read; the mark of the last. */
uint64_t spool_pass(struct spool *s);
/* Write the head, when it has changed. An empty spool gives its disk back. */
void spool_settle(struct spool *s);

bool     spool_is_empty(const struct spool *s); /* all is delivered */
bool     spool_is_read(const struct spool *s);  /* all was read */
uint64_t spool_bytes(const struct spool *s);    /* not delivered */
/* Bytes that could not be read and are lost, since the last call. */
uint64_t spool_damage_take(struct spool *s);

#endif
