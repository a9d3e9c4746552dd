/* SPDX-License-Identifier: MIT */
/*
 * ntlm_text: the texts of NTLM messages: UTF-16LE or OEM to UTF-8 and back, and upper case as Windows has it. Pure.
 * OEM: which code page a client means it does not say. Bytes that are UTF-8 are taken as such (curl sends what was typed), others as code page 850.
 */
#ifndef POSTERN_AUTH_NTLM_TEXT_H
#define POSTERN_AUTH_NTLM_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Into `out` with a NUL. False: too long, lone surrogates, half a code unit, control characters (NUL and C1 among them). */
bool ntlm_text_read(struct span text, bool unicode, char *out, size_t room);
/* UTF-8 to UTF-16LE; returns bytes, or SIZE_MAX: not UTF-8, or does not fit. */
size_t ntlm_text_utf16(struct span utf8, char *out, size_t room);
/* UTF-8 to OEM, '?' for what code page 850 has not; cut to `room`. Returns bytes. */
size_t ntlm_text_oem(struct span utf8, char *out, size_t room);
/* Upper case of one UTF-16 unit, one for one: Latin, Greek, Cyrillic, Armenian. As in Windows, micro sign, dotless i, long s and final sigma stay. */
uint16_t ntlm_text_upper(uint16_t unit);
/* One character off the front of *utf8; false: no UTF-8 (overlong forms, surrogates, beyond U+10FFFF). */
bool ntlm_text_take(struct span *utf8, uint32_t *c);

#endif
