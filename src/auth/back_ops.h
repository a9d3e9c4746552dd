/* SPDX-License-Identifier: MIT */
/*
 * back_ops: the back ends that are built in, for back.c alone; everybody else asks back_ops().
 */
#ifndef POSTERN_AUTH_BACK_OPS_H
#define POSTERN_AUTH_BACK_OPS_H

#include "auth/back.h"

extern const struct back_ops back_ntlm_file_ops;
extern const struct back_ops back_basic_file_ops;
extern const struct back_ops back_kerberos_ops;
extern const struct back_ops back_winbind_ops;
extern const struct back_ops back_ldap_ops;
extern const struct back_ops back_pam_ops;
extern const struct back_ops back_initiator_ops;

#endif
