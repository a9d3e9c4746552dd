/* SPDX-License-Identifier: MIT */
#include "proc/roles.h"

#include <string.h>

int
role_main(const char *role)
{
	if (strcmp(role, "worker") == 0)
		return worker_main();
	if (strcmp(role, "logger") == 0)
		return logger_main();
	if (strcmp(role, "auth") == 0)
		return authd_main();
	if (strcmp(role, "signer") == 0)
		return signer_main();
	if (strcmp(role, "admin") == 0)
		return admin_main();
	if (strcmp(role, "doctor") == 0)
		return doctor_main();
	return 2;
}
