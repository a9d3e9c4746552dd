/* SPDX-License-Identifier: MIT */
#include "auth/ad_words.h"

#include <stdlib.h>

/* MS-ERREF 2.3.1 */
static const struct {
	uint32_t    status;
	bool        refused; /* it is about the account or its password; else nobody could be asked */
	const char *name, *words;
} nt_words[] = {
	{0xc000006d, true, "NT_STATUS_LOGON_FAILURE", "wrong user name or password"},
	{0xc000006a, true, "NT_STATUS_WRONG_PASSWORD", "wrong password"},
	{0xc0000064, true, "NT_STATUS_NO_SUCH_USER", "unknown user"},
	{0xc0000234, true, "NT_STATUS_ACCOUNT_LOCKED_OUT", "the account is locked out after too many wrong passwords"},
	{0xc0000072, true, "NT_STATUS_ACCOUNT_DISABLED", "the account is disabled"},
	{0xc0000193, true, "NT_STATUS_ACCOUNT_EXPIRED", "the account has expired"},
	{0xc0000071, true, "NT_STATUS_PASSWORD_EXPIRED", "the password has expired"},
	{0xc0000224, true, "NT_STATUS_PASSWORD_MUST_CHANGE", "the password must be changed before the next log-on"},
	{0xc000006e, true, "NT_STATUS_ACCOUNT_RESTRICTION", "a restriction of the account forbids it, such as an empty password or Protected Users"},
	{0xc000006f, true, "NT_STATUS_INVALID_LOGON_HOURS", "outside the account's logon hours"},
	{0xc0000070, true, "NT_STATUS_INVALID_WORKSTATION", "the account may not log on from this workstation"},
	{0xc000015b, true, "NT_STATUS_LOGON_TYPE_NOT_GRANTED", "the account may not log on over the network to this machine"},
	{0xc0000199, true, "NT_STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT", "a workstation's account, and those were not asked for"},
	{0xc000019a, true, "NT_STATUS_NOLOGON_SERVER_TRUST_ACCOUNT", "a server's account, and those were not asked for"},
	{0xc0000198, true, "NT_STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT", "the account of a trust between domains"},
	{0xc0000413, true, "NT_STATUS_AUTHENTICATION_FIREWALL_FAILED", "selective authentication of the trust forbids it"},
	{0xc0000418, true, "NT_STATUS_NTLM_BLOCKED", "the domain does not let this account use NTLM"},
	{0xc0000062, true, "NT_STATUS_INVALID_ACCOUNT_NAME", "not the name of an account"},
	{0xc000005f, false, "NT_STATUS_NO_SUCH_LOGON_SESSION", "no such log-on session"},
	{0xc0000022, false, "NT_STATUS_ACCESS_DENIED", "access denied: may this process use winbindd's privileged pipe (group winbindd_priv), and is the machine's own account in order?"},
	{0xc000005e, false, "NT_STATUS_NO_LOGON_SERVERS", "no domain controller can be reached"},
	{0xc00000dc, false, "NT_STATUS_INVALID_SERVER_STATE", "the domain controller is not ready"},
	{0xc0000233, false, "NT_STATUS_DOMAIN_CONTROLLER_NOT_FOUND", "no domain controller was found; look at DNS"},
	{0xc000018a, false, "NT_STATUS_NO_TRUST_LSA_SECRET", "this machine has no password of its own for the domain; join it again"},
	{0xc000018b, false, "NT_STATUS_NO_TRUST_SAM_ACCOUNT", "this machine's account is not in the domain; join it again"},
	{0xc000018c, false, "NT_STATUS_TRUSTED_DOMAIN_FAILURE", "the trust to the user's domain does not work"},
	{0xc000018d, false, "NT_STATUS_TRUSTED_RELATIONSHIP_FAILURE", "the trust between this machine and the domain is broken; join it again"},
	{0xc0000133, false, "NT_STATUS_TIME_DIFFERENCE_AT_DC", "the clocks of this machine and of the domain controller differ too much"},
	{0xc000009a, false, "NT_STATUS_INSUFFICIENT_RESOURCES", "winbindd or the domain controller is overloaded"},
	{0xc00000b5, false, "NT_STATUS_IO_TIMEOUT", "the domain controller did not answer in time"},
	{0xc0000001, false, "NT_STATUS_UNSUCCESSFUL", "winbindd failed; its log says more"},
};

void
nt_status_explain(uint32_t status, const char *name, struct answer *out)
{
	for (size_t i = 0; i < sizeof nt_words / sizeof *nt_words; i++)
		if (nt_words[i].status == status) {
			out->result = nt_words[i].refused ? ASK_REFUSED : ASK_UNAVAILABLE;
			answer_detail(out, "%s: %s", nt_words[i].name, nt_words[i].words);
			return;
		}
	/* what is not known here is no word about a password: pipes, RPC, trusts */
	out->result = ASK_UNAVAILABLE;
	if (name && *name)
		answer_detail(out, "%s", name);
	else
		answer_detail(out, "NT status 0x%08x", status);
}

const char *
ad_bind_words(const char *diagnostic)
{
	static const struct {
		unsigned long code; /* a Win32 error */
		const char   *words;
	} known[] = {
		{0x525, "unknown user"},
		{0x52e, "wrong password"},
		{0x530, "outside the account's logon hours"},
		{0x531, "the account may not log on from this workstation"},
		{0x532, "the password has expired"},
		{0x533, "the account is disabled"},
		{0x568, "the user is in too many groups"},
		{0x701, "the account has expired"},
		{0x773, "the password must be changed before the next log-on"},
		{0x775, "the account is locked out after too many wrong passwords"},
	};
	const char   *at = diagnostic ? strstr(diagnostic, "data ") : NULL;
	unsigned long code;

	if (!at)
		return NULL;
	code = strtoul(at + 5, NULL, 16);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].code == code)
			return known[i].words;
	return NULL;
}
