/* SPDX-License-Identifier: MIT */
/*
 * census: how the gateway as a whole is, and its processes, in shared memory. Written by the parent only; read by who shows it.
 */
#ifndef POSTERN_IPC_CENSUS_H
#define POSTERN_IPC_CENSUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum gateway_state { GATEWAY_STARTING, GATEWAY_SERVING, GATEWAY_DRAINING };

#define CENSUS_PROCESSES 160u
#define CENSUS_NAME      32u

struct census_process {
	char             name[CENSUS_NAME]; /* "worker 3", "the logger"; "": none */
	_Atomic int32_t  pid;      /* 0: not there now */
	_Atomic uint32_t starts, deaths, hangs; /* hangs: how often it was ended because it did not answer */
	_Atomic uint32_t silent_s;              /* so long it has not answered; 0: it does */
	_Atomic uint64_t since_real_us;
	_Atomic uint64_t generation; /* of the snapshot that it uses */
};

struct census {
	_Atomic uint32_t state;         /* enum gateway_state */
	_Atomic uint64_t started_real_us, generation, reloaded_real_us;
	_Atomic uint64_t reloads, reloads_refused;
	_Atomic bool     reload_failed; /* the last one was refused */
	_Atomic uint64_t turned_mono_us; /* when the parent's own loop turned last, within a second */
	_Atomic uint32_t n; /* of process[] */
	struct census_process process[CENSUS_PROCESSES];
};

#endif
