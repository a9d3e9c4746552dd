/* SPDX-License-Identifier: MIT */
#include "auth/back.h"

#include <sys/stat.h>

#include "auth/back_ops.h"

static const struct {
	const char            *word;
	const struct back_ops *ops; /* null: left out at configure */
} backs[BACK_KINDS] = {
	[BACK_NTLM_FILE] = {"ntlm-file", &back_ntlm_file_ops},
	[BACK_BASIC_FILE] = {"basic-file", &back_basic_file_ops},
#ifdef HAVE_KERBEROS
	[BACK_KERBEROS] = {"kerberos", &back_kerberos_ops},
	[BACK_INITIATOR] = {"initiator", &back_initiator_ops},
#else
	[BACK_KERBEROS] = {"kerberos", NULL},
	[BACK_INITIATOR] = {"initiator", NULL},
#endif
#ifdef HAVE_WINBIND
	[BACK_WINBIND] = {"winbind", &back_winbind_ops},
#else
	[BACK_WINBIND] = {"winbind", NULL},
#endif
#ifdef HAVE_LDAP
	[BACK_LDAP] = {"ldap", &back_ldap_ops},
#else
	[BACK_LDAP] = {"ldap", NULL},
#endif
#ifdef HAVE_PAM
	[BACK_PAM] = {"pam", &back_pam_ops},
#else
	[BACK_PAM] = {"pam", NULL},
#endif
};

const struct back_ops *
back_ops(enum back_kind kind)
{
	return (unsigned)kind < BACK_KINDS ? backs[kind].ops : NULL;
}

const char *
back_word(enum back_kind kind)
{
	return (unsigned)kind < BACK_KINDS ? backs[kind].word : "none";
}

const char *
back_file_fault(enum back_kind kind, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return "cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "is no plain file";
	if (st.st_mode & back_file_closed(kind))
		return kind == BACK_NTLM_FILE ? "others than its owner can read or write it, and NT hashes are as good as passwords; chmod 600 makes it right" :
		                                "others can read it, or its group can write it; chmod 640 makes it right";
	if (st.st_size > (off_t)BACK_FILE_MOST)
		return "is larger than 64 MiB";
	return NULL;
}
