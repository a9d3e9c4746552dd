/* SPDX-License-Identifier: MIT */
#include "doctor/advice.h"

#include <string.h>

static const struct {
	enum doctor_side side;
	const char      *todo;
} advices[DOCTOR_FAULTS] = {
    [DOCTOR_NO_SUCH_NAME] = {DOCTOR_SIDE_DNS, "ask the name server in use and a public one for the name: if only the former denies it, a filter in the DNS does; if both do, the "
					     "endpoint is gone: look at Microsoft's current list"},
    [DOCTOR_DNS_FAILED] = {DOCTOR_SIDE_DNS, "see whether the name servers in use (resolver in [gateway], or /etc/resolv.conf) answer at all, and may ask the Internet"},
    [DOCTOR_PRIVATE_ADDRESS] = {DOCTOR_SIDE_DNS, "the DNS or the hosts file leads the name astray (a filter, a sinkhole): have it answered by the Internet's DNS; if the address "
						 "is meant, say egress-allow"},
    [DOCTOR_REFUSED] = {DOCTOR_SIDE_FIREWALL, "a firewall rejects connections to this host and port: allow them by name"},
    [DOCTOR_UNREACHABLE] = {DOCTOR_SIDE_FIREWALL, "there is no route, or a firewall says so: look at the default route and at the firewall's rules"},
    [DOCTOR_TIMEOUT] = {DOCTOR_SIDE_FIREWALL, "a firewall drops the packets silently: allow this host and port"},
    [DOCTOR_RESET] = {DOCTOR_SIDE_FIREWALL, "a firewall that reads the names in TLS cuts the connection: allow the name there"},
    [DOCTOR_PROXY_DOWN] = {DOCTOR_SIDE_PROXY, "the proxy cannot be connected to"},
    [DOCTOR_PROXY_AUTH] = {DOCTOR_SIDE_PROXY_AUTH, "the proxy asks for a log-on, which these endpoints never answer"},
    [DOCTOR_NO_TICKET] = {DOCTOR_SIDE_PROXY_AUTH, "there is no Kerberos ticket for the parent: look at keytab and principal in its section, at krb5.conf, and whether the domain knows "
						  "HTTP/ and the host of its address; the gateway itself gets no further"},
    [DOCTOR_PROXY_REFUSED] = {DOCTOR_SIDE_PROXY, "the proxy's rules do not allow it"},
    [DOCTOR_PROXY_FAILED] = {DOCTOR_SIDE_PROXY, "the proxy could not get there"},
    [DOCTOR_NOT_TLS] = {DOCTOR_SIDE_INTERCEPTION, "something else than the endpoint answers on this port, such as a portal that wants a log-on: take the host out of it"},
    [DOCTOR_TLS_FAILED] = {DOCTOR_SIDE_INTERCEPTION, "no TLS comes about; when other endpoints are well, a middlebox on the way breaks it: take the host out of its inspection"},
    [DOCTOR_OWN_CA] = {DOCTOR_SIDE_INTERCEPTION, "this gateway, or one with the same CA, intercepts the endpoint: Windows refuses that; have a rule with action = bypass decide it"},
    [DOCTOR_INTERCEPTED] = {DOCTOR_SIDE_INTERCEPTION, "a proxy or firewall on the way intercepts TLS with a CA of its own: Windows refuses that; exempt the host from its inspection"},
    [DOCTOR_UNTRUSTED] = {DOCTOR_SIDE_SERVER, "the chain does not lead to a trusted root: update ca-certificates here; if it is up to date, the server forgets an intermediate"},
    [DOCTOR_OTHER_ISSUER] = {DOCTOR_SIDE_INTERCEPTION, "an authority that Microsoft does not use issued the certificate: a proxy on the way whose CA this machine trusts, or an issuer "
						       "to be named by issuers = in [doctor]"},
    [DOCTOR_WRONG_NAME] = {DOCTOR_SIDE_INTERCEPTION, "another server answers: a portal, a filter's page, or a wrong address in the DNS or the hosts file"},
    [DOCTOR_EXPIRED] = {DOCTOR_SIDE_SERVER, "look at the clock of this machine (timedatectl); if it is right, the server's certificate is out of date"},
    [DOCTOR_OTHER_LEAF] = {DOCTOR_SIDE_INTERCEPTION, "this way leads to another certificate than the direct one: somebody stands between on one of the two"},
    [DOCTOR_HTTP_FAILED] = {DOCTOR_SIDE_SERVER, "it is connected to and no HTTP comes back: something on the way (a portal, a middlebox), or trouble at the endpoint; try again later"},
};

static const char *const side_words[DOCTOR_SIDES] = {"", "DNS", "firewall", "proxy", "proxy authentication", "interception", "server or roots"};

enum doctor_side
doctor_side_of(enum doctor_fault f)
{
	return (unsigned)f < DOCTOR_FAULTS ? advices[f].side : DOCTOR_SIDE_NONE;
}

const char *
doctor_side_word(enum doctor_side s)
{
	return (unsigned)s < DOCTOR_SIDES ? side_words[s] : "";
}

const char *
doctor_advice(enum doctor_fault f, enum doctor_way w)
{
	if (w == DOCTOR_GATEWAY && f == DOCTOR_PROXY_AUTH)
		return "no bypass rule decides this host here, and another one asks for a user: `postern explain HOST:PORT` names it; put the list into a rule with action = bypass";
	if (w == DOCTOR_GATEWAY && f == DOCTOR_PROXY_REFUSED)
		return "a rule of this gateway denies it: `postern explain HOST:PORT` names the rule; put the list into a rule with action = bypass above it";
	if (w == DOCTOR_GATEWAY && f == DOCTOR_PROXY_DOWN)
		return "the gateway does not answer: see `postern status`, and whether the listener's clients have this machine; --via names another place";
	if (w == DOCTOR_GATEWAY && f == DOCTOR_PROXY_FAILED)
		return "the gateway could not get there itself: its access log names the fault; when the direct way is well, look at its parent and its egress rules";
	if (w == DOCTOR_PARENT && f == DOCTOR_PROXY_AUTH)
		return "the parent asks for a log-on: have it let this gateway's address through for these hosts, or say how to log on (auth in its section)";
	if (w == DOCTOR_PARENT && f == DOCTOR_PROXY_DOWN)
		return "the parent does not answer: see whether its address in [parent] is right and a firewall lets this machine connect to it";
	if (w == DOCTOR_PARENT && (f == DOCTOR_PROXY_REFUSED || f == DOCTOR_PROXY_FAILED))
		return "the parent refuses the host or cannot reach it: its own rules and log tell";
	return (unsigned)f < DOCTOR_FAULTS && advices[f].todo ? advices[f].todo : "";
}

/* By the end of the host's name. After the documents that conf/lists names. */
static const struct {
	const char *end, *what;
} symptoms[] = {
    {"aka.ms", "the service connection point raises status message 11488 and SMS_SERVICE_CONNECTOR turns critical"},
    {"graph.windows.net", "the service connection point raises status message 11488, SMS_SERVICE_CONNECTOR turns critical, and the wizard shows no Commercial ID"},
    {".manage.microsoft.com", "Intune and attached hierarchies get no collections and deployment plans; on the service connection point: status message 11488"},
    {"settings-win.data.microsoft.com", "the compatibility update sends no data, so that devices are missing in the console after 48 hours"},
    {"umwatsonc.events.data.microsoft.com", "crash reports (Windows Error Reporting) do not arrive"},
    {"kmwatsonc.events.data.microsoft.com", "crash reports (Online Crash Analysis) do not arrive"},
    {".telemetry.microsoft.com", "crash reports of Windows 10 1803 and earlier do not arrive"},
    {".blob.core.windows.net", "crash reports (Windows Error Reporting) do not arrive"},
    {".data.microsoft.com", "diagnostic data does not arrive: devices are missing in the console after 48 hours, with no error shown"},
    {"adl.windows.com", "compatibility data on devices grows old, and so do upgrade assessments"},
    {"login.live.com", "device identities are less reliable: devices are counted twice or not at all"},
};

const char *
doctor_symptom(const struct doctor_target *t)
{
	size_t n = strlen(t->host);

	for (size_t i = 0; i < sizeof symptoms / sizeof *symptoms; i++) {
		size_t m = strlen(symptoms[i].end);
		if (n >= m && strcmp(t->host + n - m, symptoms[i].end) == 0 && (n == m || symptoms[i].end[0] == '.'))
			return symptoms[i].what;
	}
	return NULL;
}
