/* SPDX-License-Identifier: MIT */
/*
 * roles: which process this one is, when the parent has started it from its own binary.
 */
#ifndef POSTERN_PROC_ROLES_H
#define POSTERN_PROC_ROLES_H

/* Runs as the child that the parent named in argv ("worker", "logger", "auth", "signer", "admin", "doctor"); returns the exit code. 2: there is no such role. */
int role_main(const char *role);

/* The processes: worker.c, logger_main.c, authd.c, signer.c, admin_main.c, doctor_main.c. */
int worker_main(void);
int logger_main(void);
int authd_main(void);
int signer_main(void);
int admin_main(void);
int doctor_main(void);

#endif
