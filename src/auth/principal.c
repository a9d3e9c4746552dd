/* SPDX-License-Identifier: MIT */
#include "auth/principal.h"

bool
principal_split(struct span text, char account[ASK_NAME_MAX], char realm[ASK_NAME_MAX])
{
	char  *to = account;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '@') {
			if (to == realm || n == 0)
				return false;
			to[n] = '\0';
			to = realm;
			n = 0;
			continue;
		}
		/* a quoted letter is a control byte (\n, \t, \b, \0); a quoted slash would make one part look like two */
		if (c == '\\' && (++i == text.n || (c = text.p[i]) != '@'))
			return false;
		if ((unsigned char)c < 0x20 || c == 0x7f || n + 1 == ASK_NAME_MAX)
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	return to == realm && n > 0;
}

bool
principal_is_anonymous(const char *account, const char *realm)
{
	return strcmp(account, "WELLKNOWN/ANONYMOUS") == 0 || strcmp(realm, "WELLKNOWN:ANONYMOUS") == 0;
}
