/* SPDX-License-Identifier: MIT */
#include "conf_report.h"

#include "conf/file.h"
#include "conf/load.h"

static void
test_bad_files_are_named_by_line_with_what_would_be_right(void **state)
{
	static const struct {
		const char *ini;
		const char *want[4];
	} rows[] = {
		/* keys and sections */
		{"[gateway]\nconect-ports = 443\n", {"2: did you mean \"connect-ports\"?"}},
		{"[gateway]\nusr = x\n", {"2: did you mean \"user\"?"}},
		{"[gateway]\nfrobnicate = x\n", {"2: unknown key \"frobnicate\" in [gateway]"}},
		{"[gateway]\nclients = any\n", {"2: key \"clients\" belongs in [listener NAME], not in [gateway]"}},
		{"workers = 1\n", {"1: belongs in [gateway]"}},
		{"frobnicate = 1\n", {"1: before any section"}},
		{"[gatway]\nworkers = 1\nfoo = bar\n", {"1: did you mean [gateway]?"}},
		{"[frobnicator x]\nfoo = bar\n", {"1: unknown section [frobnicator]"}},
		{"[]\n", {"1: unknown section []"}},
		{"[gateway x]\n", {"1: [gateway] takes no name"}},
		{"[listener]\naddress = 127.0.0.1:0\n", {"1: has no name; write [listener NAME]"}},
		{"[rule a,b]\naction = deny\n", {"1: \"a,b\" is not fit"}},
		{"[rule a b]\naction = deny\n", {"1: \"a b\" is not fit"}},
		{"[rule 0123456789012345678901234567890123456789012345678901234567890123]\naction = deny\n", {"1: is not fit"}},
		{"[rule a]\naction = deny\n[list a]\nhost = x\n[rule a]\naction = deny\n[rule a]\naction = deny\n",
		    {"5: [rule a] is given twice; the first is at postern.ini:1", "7: first is at postern.ini:1"}},
		{"[list a]\nhost = x\n[list a]\nhost = y\n", {"3: [list a] is given twice"}},
		{"[log a]\nfile = -\n[log a]\nfile = -\n", {"3: [log a] is given twice"}},
		{"[listener a]\naddress = 127.0.0.1:0\n[listener a]\naddress = 127.0.0.1:0\n", {"3: [listener a] is given twice"}},
		{"[listener a]\naddress = 127.0.0.1:9\n[listener b]\naddress = [::1]:9, 127.0.0.1:9\n",
		    {"3: address 127.0.0.1:9 is given twice; the first is in the listener at postern.ini:1"}},
		{"[gateway]\nworkers = 1 # one\n", {"2: a comment after a value begins with ;"}},
		{"[gateway]\nworkers = 1\n[gateway]\nworkers = 2\n", {"4: \"workers\" is given twice in [gateway]; the first is at postern.ini:2"}},
		{"[rule a]\naction = deny\naction = bypass\n", {"3: \"action\" is given twice in [rule NAME]; the first is at postern.ini:2"}},
		/* lines that inih would misread */
		{"[gateway]\n  workers = 1\n", {"2: no list above"}},
		{"  workers = 1\n", {"1: no list above"}},
		{"[listener a]\naddress = 127.0.0.1:0\n  clients = any\n", {"3: begin the key at the start"}},
		{"[listener a]\naddress = 127.0.0.1:0\n  [gateway]\nworkers = 1\n", {"3: the section head is indented"}},
		{"[rule a]\nreason = b\n  action = deny\n", {"1: no action", "3: begin the key at the start"}},
		{"[gateway]\nworkers\n", {"2: no \"=\""}},
		{"[gateway]\nworkers: 1\n", {"2: no \"=\" before"}},
		{"[list a]\nhost = a\nhttps://b/\n  c\n  d\n", {"3: indent the line"}},
		{"[gateway\nworkers = 1\nfoo = 2\n", {"1: no \"]\""}},
		{"[gateway] workers = 1\nfoo = 2\n", {"1: text after the \"]\""}},
		{"[gateway]\n= 1\n  2\n", {"2: nothing stands before"}},
		{"[gateway]\ncontact = \"Bob\n", {"2: quote is not closed"}},
		{"[gateway]\ncontact = B\x01ob\n", {"2: control byte"}},
		{"[list a]\nhost = a\n  b\x01 c\n  d\n", {"3: control byte"}},
		{"[rule a]\naction = deny\nhosts = 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
		 "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n  a\n", {"3: continue it on an indented next line"}},
		/* values */
		{"[gateway]\ncontrol = /run/p\npid-file = /run/p\n", {"3: pid-file and control name the same file"}},
		{"[gateway]\ncontrol = /run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\n",
			{"2: control: the path has 114 bytes; a socket's may have 107"}},
		{"[gateway]\nupgrade-timeout = 0\n", {"2: upgrade-timeout = 0: want a time from 1ms to 1h"}},
		{"[gateway]\nworkers = 0\n", {"2: want a number from 1 to 128, or auto"}},
		{"[gateway]\nworkers = 129\n", {"2: want a number"}},
		{"[gateway]\nworkers = two\n", {"2: workers = two: want a number"}},
		{"[gateway]\nworkers =\n", {"2: has no value; want a number"}},
		{"[gateway]\nworkers = 1\n  2\n", {"3: \"workers\" takes one value"}},
		{"[gateway]\nworkers = 1 2\n", {"2: workers = 1 2: want a number"}},
		{"[gateway]\nuser =\n", {"2: user has no value"}},
		{"[gateway]\nuser = \"\"\n", {"2: user has no value"}},
		{"[gateway]\nvisible-name = a b\n", {"2: want a name such as proxy.example.com"}},
		{"[gateway]\npages = nowhere\n", {"2: pages = nowhere: nowhere: No such file"}},
		{"[gateway]\npages = postern.ini\n", {"2: postern.ini is not a directory"}},
		{"[gateway]\nhead-timeout = 10\n", {"2: want a time from 1ms to 24h, such as 10s"}},
		{"[gateway]\nhead-timeout = 0\n", {"2: want a time"}},
		{"[gateway]\nidle-timeout = 721h\n", {"2: want a time from 1ms to 720h"}},
		{"[gateway]\ndrain-delay = 61m\n", {"2: want a time from 0h to 1h"}},
		{"[gateway]\ndrain-delay = 5\n", {"2: want a time"}},
		{"[gateway]\nhang-timeout = 1s\n", {"2: hang-timeout is too short: a busy process would be ended; want at least 2s, better 30s, or 0s for never"}},
		{"[gateway]\nhang-timeout = 61m\n", {"2: want a time from 0h to 1h"}},
		{"[gateway]\nhang-timeout = 30\n", {"2: want a time"}},
		{"[gateway]\nmax-head = 2m\n", {"2: want a size from 4k to 1m, such as 64k"}},
		{"[gateway]\nmax-head = 64kb\n", {"2: want a size"}},
		{"[gateway]\nmax-request-body = -1\n", {"2: want a size from 0, such as 64k"}},
		{"[gateway]\nbandwidth-per-client = 1023\n", {"2: bandwidth-per-client = 1023: want at least 1k, in bytes a second, or 0 for no limit"}},
		{"[gateway]\nbandwidth-per-client = 17g\n", {"2: want a size from 0 to 16384m"}},
		{"[gateway]\nbandwidth-per-client = 10mbit\n", {"2: want a size"}},
		{"[gateway]\nqueue-timeout = 2h\n", {"2: want a time from 0"}},
		{"[rule a]\naction = tunnel\nauth = none\nbandwidth = 1\nbandwidth-per-client = 2\nmax-connections = -1\n", {"4: bandwidth = 1: want at least 1k", "5: bandwidth-per-client = 2: want at least 1k", "6: want a number from 0 to 10000000"}},
		{"[gateway]\nvia = true\n", {"2: want yes or no"}},
		{"[gateway]\nhost-mismatch = Refuse\n", {"2: want replace, refuse"}},
		{"[gateway]\nx-forwarded-for = off\n", {"2: want delete, append, pass"}},
		{"[gateway]\nregex-jit = on\n", {"2: want auto, yes, no"}},
		{"[gateway]\nconnect-ports = 443 0 https 8-7\n", {"2: connect-ports = 0: want ports", "2: = https", "2: = 8-7"}},
		{"[gateway]\nconnect-ports =\n", {"2: has no value; want ports such as 443 or 1025-65535; or none"}},
		{"[gateway]\nconnect-ports = none 443\n", {"2: none stands alone"}},
		{"[gateway]\nhttp-ports = !25\n", {"2: http-ports takes no \"!\""}},
		{"[gateway]\negress-deny = 10.0.0.0/33\n", {"2: egress-deny = 10.0.0.0/33: want networks"}},
		{"[gateway]\negress-deny = 10.0.0.1/8\n", {"2: write 10.0.0.0/8"}},
		{"[gateway]\negress-deny = 2001:db8::1/32\n", {"2: write 2001:db8::/32"}},
		{"[gateway]\negress-deny = privat\n", {"2: or the groups private, loopback, any"}},
		{"[gateway]\negress-deny =\n", {"2: has no value"}},
		{"[gateway]\negress-deny = private none\n", {"2: egress-deny = none stands alone"}},
		{"[gateway]\negress-deny = none\negress-deny = private\n", {"3: egress-deny = none stands alone"}},
		{"[gateway]\nresolver = system 192.0.2.1\n", {"2: stands alone"}},
		{"[gateway]\nresolver = dns.example.com\n", {"2: want system, or addresses"}},
		{"[gateway]\nresolver = 192.0.2.1:0\n", {"2: want system, or addresses"}},
		{"[listener a]\n", {"1: [listener a] has no address"}},
		{"[listener a]\naddress =\n", {"2: has no value; want ADDRESS:PORT"}},
		{"[listener a]\naddress = 3128\n", {"2: address = 3128: want ADDRESS:PORT such as"}},
		{"[listener a]\naddress = 127.0.0.1:70000\n", {"2: want ADDRESS:PORT"}},
		{"[listener a]\naddress = proxy:3128\n", {"2: want ADDRESS:PORT"}},
		{"[listener a]\naddress = 127.0.0.1:0\nclients = 10.0.0.0/8 !10.1.0.0/16\n", {"3: takes no \"!\""}},
		{"[listener a]\naddress = 127.0.0.1:0\nclients =\n", {"3: has no value"}},
		{"[listener a]\naddress = unix:proxy.sock\n", {"2: address = unix:proxy.sock: want an absolute path"}},
		{"[listener a]\naddress = unix:\n", {"2: address = unix:: want ADDRESS:PORT"}},
		{"[listener a]\naddress = unix:/run/a\n[listener b]\naddress = 127.0.0.1:0, unix:/run/a\n", {"4: address unix:/run/a is given twice; the first is at"}},
		{"[listener a]\naddress = unix:/run/a\nsocket-mode = 0888\n", {"3: socket-mode = 0888: want permissions such as 0660"}},
		{"[listener a]\naddress = unix:/run/a\nsocket-mode = 4660\n", {"3: socket-mode = 4660: want permissions"}},
		{"[listener a]\naddress = *:70000\n", {"2: address = *:70000: want ADDRESS:PORT"}},
		{"[listener a]\naddress = 127.0.0.1:0\nmode = tproxy\n", {"3: mode = tproxy: want explicit, transparent"}},
		{"[listener a]\naddress = 127.0.0.1:0 unix:/run/a\nmode = transparent\n", {"2: address = unix:/run/a in a transparent listener"}},
		{"[listener a]\naddress = 127.0.0.1:0\nmode = transparent\ntls-cert = a\n", {"4: [listener a] is transparent and has tls-cert"}},
		{"[listener a]\naddress = 127.0.0.1:0\nmode = transparent\ntls-cert = a\ntls-key = b\n", {"4: [listener a] is transparent and has tls-cert"}},
		{"[listener a]\naddress = 127.0.0.1:0\nproxy-protocol-from = balancer\n", {"3: proxy-protocol-from = balancer: want networks"}},
		{"[rule a]\naction = deny\noriginal-address = maybe\n", {"3: original-address = maybe: want yes or no"}},
		{"[list a]\n", {"1: [list a] is empty"}},
		{"[list a]\naddress = 10.0.0.0/8 example.com\n", {"2: address = example.com: want networks"}},
		{"[list a]\nhost = a,,\"b\"c\n", {"2: after a closing quote"}},
		{"[list a]\nhost = a ! b\n", {"2: \"!\" stands alone"}},
		{"[list a]\nfile = missing.list\n", {"2: missing.list cannot be read: No such file"}},
		{"[list a]\nfile =\n", {"2: has no value; want files"}},
		{"[list a]\nfile = .\n", {"2: . cannot be read: it is a directory"}},
		{"[list a]\nfile = /dev/null\n", {"2: /dev/null cannot be read: it is not a regular file"}},
		{"[rule a]\n", {"1: [rule a] has no action; want action = bypass, tunnel, inspect or deny"}},
		{"[rule a]\naction = allow\n", {"2: action = allow: want bypass, tunnel, inspect, deny"}},
		{"[rule a]\naction = bypass\nguard = on\n", {"3: want enforce, report, off"}},
		{"[rule a]\naction = deny\nhosts =\n", {"3: hosts has no value"}},
		{"[rule a]\naction = deny\nreport = maybe\nforce = 1\n", {"3: report = maybe: want yes or no", "4: force = 1: want yes or no"}},
		{"[log a]\n", {"1: [log a] goes nowhere; want file = access.log, file = - for standard output, syslog = unix:/dev/log, or journald = yes"}},
		{"[log a]\nfile = a\njournald = yes\n[log b]\nsyslog = udp:h\nfile = b\n", {"1: [log a] goes to more than one place", "4: [log b] goes to more than one place"}},
		{"[log a]\nsyslog = 127.0.0.1\n[log b]\nsyslog = tcp:\n[log c]\nsyslog = tls:[::1]:0\n",
		    {"2: syslog = 127.0.0.1: want unix:/dev/log, udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT", "4: syslog = tcp:: want", "6: syslog = tls:[::1]:0: want"}},
		{"[log a]\nsyslog = unix:log\n[log b]\nsyslog = udp:a b\n", {"2: syslog = unix:log: want", "4: syslog = udp:a b: want"}},
		{"[log a]\nsyslog = udp:h\nspool = s\n[log b]\nsyslog = udp:i\nspool = s\n", {"4: [log b] has the same spool as [log a]"}},
		{"[log a]\nsyslog = udp:h\nsyslog-facility = local8\nsyslog-severity = bad\nspool-size = 1k\njournald = maybe\n",
		    {"3: syslog-facility = local8: want kern", "4: syslog-severity = bad: want notice, info, debug", "5: spool-size = 1k: want", "6: journald = maybe: want yes or no"}},
		{"[log a]\nfile =\n", {"2: file has no value"}},
		{"[log a]\nfile = -\nformat = common\n", {"3: format = common: want squid, json, combined, w3c, cef, leef, or a format string with % codes"}},
		/* what clients are told of the proxy */
		{"[doctor]\ntimeout = 99ms\nparallel = 0\nlists = nosuch\nissuers = \"a\n",
		    {"2: timeout = 99ms: want", "3: parallel = 0: want", "4: lists = nosuch: there is no [list nosuch]", "5: "}},
		{"[doctor]\ntimeout = 6m\nparallel = 1001\n", {"2: timeout = 6m: want", "3: parallel = 1001: want"}},
		{"[list a]\nhost = *.a.example !b.a.example\nprobe = c.a.example b.a.example a.example\n  *.a.example c_a..example https://d.a.example:8443\n",
		    {"3: probe = b.a.example: a `!` entry of [list a] takes it out", "3: probe = a.example: no entry of [list a] holds", "4: probe = *.a.example: a pattern cannot be",
			"4: probe = c_a..example: "}},
		{"[list a]\nhost = https://*.a.example http://*.b.example re:^x[0-9]+[.]example$ 192.0.2.0/24\nprobe = http://c.a.example c.b.example:81 x1.example 192.0.2.7\n",
		    {"3: probe = http://c.a.example: no entry", "3: probe = c.b.example:81: no entry"}},
		{"[pac]\nfoo = x\n", {"2: unknown key \"foo\" in [pac]"}},
		{"[pac]\nbypass = never\nplain-names = maybe\nfallback = proxy\nmax-age = 721h\n", {"2: bypass = never: want proxy, direct", "3: plain-names = maybe: want yes or no",
			"4: fallback = proxy: want none, direct", "5: max-age = 721h: want a time from 0h to 720h"}},
		{"[gateway]\nadmin = 3180 localhost:1\nadmin-clients = 10.0.0.0/33\n",
		    {"2: admin = 3180: want ADDRESS:PORT such as", "2: admin = localhost:1", "3: admin-clients = 10.0.0.0/33"}},
		{"[list a]\nhost = x\nmax-age = 87601h\nsource = a\nsource = b\n[list b]\nhost = y\nmax-age = old\n",
		    {"3: max-age = 87601h: want a time from 0h to 87600h", "5: source", "8: max-age = old: want a time"}},
		{"[doctor]\ninterval = 25h\ntextfile =\n[doctor]\ninterval = soon\n", {"2: interval = 25h: want a time from 0h to 24h", "5: interval"}},
		{"[doctor]\ninterval = 900ms\ntextfile = /nowhere/at/all/a.prom\n", {"2: interval: the endpoints are other people's servers; want at least 1s",
			"3: textfile = /nowhere/at/all/a.prom: /nowhere/at/all: No such file or directory; want a path in a directory that is there"}},
		{"[doctor]\ninterval = 15m\ntextfile = /tmp/\n", {"3: textfile = /tmp/: want a file, such as /tmp/postern.prom"}},
		{"[doctor]\ninterval = 15m\ntextfile = /dev/null/a\n", {"3: textfile = /dev/null/a: /dev/null"}},
		/* TLS to the proxy itself */
		{"[listener a]\naddress = 127.0.0.1:0\ntls-cert = a\n", {"3: [listener a] has tls-cert but no tls-key; want both, or neither"}},
		{"[listener a]\naddress = 127.0.0.1:0\ntls-key = b\nh2 = maybe\n", {"3: [listener a] has tls-key but no tls-cert", "4: h2 = maybe: want yes or no"}},
		{"[rule a]\naction = deny\nurl = \nheaders = !\nredirect =\nset-request-header = !x\n",
		    {"3: url", "4: \"!\" stands alone", "5: redirect", "6: set-request-header takes no \"!\""}},
		{"[rule a]\naction = deny\nremove-response-header =\ncontent-types = \"a\norigin-tls = \"\"\norigin-strength = !!1\n",
		    {"3: remove-response-header", "4: the quote is not closed", "5: an item is empty", "6: \"!!\""}},
		/* which lines go to a log */
		{"[rule x]\naction = deny\n[log a]\nfile = -\nrules = x good-end no-such\n  nor-this\n",
		    {"5: rules = no-such: there is no [rule no-such]", "6: rules = nor-this: there is no [rule nor-this]"}},
		{"[log a]\nfile = -\nrules =\nactions = allow deny\n", {"3: rules has no value", "4: actions = allow; want bypass, tunnel, inspect, deny or none"}},
		{"[log a]\nfile = -\nactions = !deny\nsample = 0\nanonymise = names\n",
		    {"3: actions takes no \"!\"", "4: sample = 0", "5: anonymise = names; want clients or users"}},
		{"[log a]\nfile = -\nmax-size = 1m\n", {"1: [log a] has a max-size, but only a file can be renamed when it is full"}},
		{"[log a]\nfile = a.log\nmax-size = 1k\nkeep = 0\n", {"1: [log a]: max-size is too small; want at least 64k", "4: keep = 0"}},
		{"[log a]\nfile = a.log\n[log b]\nfile = b.log\n[log c]\nfile = /var/log/postern/a.log\n",
		    {"5: [log c] writes to /var/log/postern/a.log, as the log at postern.ini:1 does; want a file of its own"}},
		{"[gateway]\nlog-level = loud\n", {"2: log-level = loud: want error, warn, info, debug"}},
		/* who is asked */
		{"[rule a]\naction = tunnel\n", {"2: [rule a]: action = tunnel needs to know who asks, but there is no [auth]; say auth = none, or add [auth]"}},
		{"[rule a]\naction = bypass\nauth = required\n", {"3: [rule a]: auth = required needs to know who asks"}},
		{"[rule a]\naction = deny\nusers = a\n", {"3: [rule a]: users needs to know who asks, but there is no [auth]; say auth = none and use clients, or add [auth]"}},
		{"[rule a]\naction = deny\ngroups = A B\n", {"3: [rule a]: groups needs to know who asks"}},
		{"[rule a]\naction = deny\nusers = \"a\" b\nauth = none\n", {"3: users: after a closing quote comes a comma"}},
		{"[rule a]\naction = deny\nusers = ! a\nauth = none\n", {"3: users: after \"!\" the name follows at once"}},
		{"[rule a]\naction = deny\nusers = a \"b\"\nauth = none\n", {"3: users: a quote stands inside a name"}},
		{"[rule a]\naction = deny\nusers = \"a\nauth = none\n", {"3: the quote is not closed"}},
		{"[auth]\ndomain = winbind\n[rule a]\naction = deny\nusers = a, !, b\n", {"5: users: \"!\" stands alone"}},
		{"[rule a]\naction = deny\nusers =\n", {"3: users has no value; want names such as CORP\\alice"}},
		{"[auth]\n", {"1: [auth] has nobody to ask; want ntlm-file, keytab, domain = winbind"}},
		{"[auth x]\ndomain = winbind\n", {"1: [auth] takes no name; write [auth]"}},
		{"[auth]\nschemes = negotiate ntlm\n", {"2: schemes has negotiate, but nobody can check it; want keytab", "2: schemes has ntlm, but nobody"}},
		{"[auth]\ndomain = winbind\nschemes = basic\n", {"3: schemes has basic, but nobody can check it; want basic-file = FILE, or basic"}},
		{"[auth]\nbasic = ldap\nschemes = basic\n", {"3: schemes has basic, but nobody can check it; want ldap-url"}},
		{"[auth]\ndomain = winbind\nschemes = ntlm digest ntlm\n", {"3: schemes = digest: want negotiate, ntlm, basic", "3: schemes names ntlm twice"}},
		{"[auth]\ndomain = winbind\nschemes =\n", {"3: schemes has no value"}},
		{"[auth]\nntlm-file = x.ntlm\n", {"2: ntlm-file: x.ntlm cannot be read: No such file"}},
		{"[auth]\nkeytab = .\n", {"2: keytab: . is not a regular file"}},
		{"[auth]\nbasic-file = /dev/null\n", {"2: basic-file: /dev/null is not a regular file"}},
		{"[auth]\ndomain = samba\n", {"2: domain = samba: want none, winbind", "1: [auth] has nobody to ask"}},
		{"[auth]\nbasic = ldap\nldap-url = http://x ldaps:// ldaps://a/b ldaps://d.example:636\n", {"3: `http://x` is none; want ldaps://HOST", "3: `ldaps://`", "3: `ldaps://a/b`"}},
		{"[auth]\nbasic = pam\npam-service = ../x\n", {"3: pam-service = ../x: want the name of a file in /etc/pam.d"}},
		{"[auth]\nbasic = ldap\nldap-url = ldaps://d\nldap-name = uid=x\n", {"4: ldap-name: without %u every user would be the same"}},
		{"[auth]\ndomain = winbind\nmax-failures = 4\n", {"3: max-failures = 4: want a number of times such as 4 per 30m"}},
		{"[auth]\ndomain = winbind\nmax-failures-user = 4 per 3 m\n", {"3: max-failures-user = 4 per 3 m: want"}},
		{"[auth]\ndomain = winbind\nmax-failures = 4 per 25h\n", {"3: max-failures = 4 per 25h: want"}},
		{"[auth]\ndomain = winbind\nmax-failures = 251 per 30m\nmax-failures-user = 300 per 1h\n",
		    {"3: max-failures = 251 per 30m: no more than 250 can be counted; want a smaller number, or none",
		        "4: max-failures-user = 300 per 1h: no more than 250"}},
		{"[auth]\ndomain = winbind\nqueue = 0\ntimeout = 2m\n", {"3: queue = 0: want a number from 1 to 100000", "4: timeout = 2m: want a time"}},
		/* inspection */
		{"[rule a]\naction = inspect\nauth = none\n", {"2: [rule a]: action = inspect needs a CA to make certificates, but there is no [inspection]; add it"}},
		{"[rule a]\naction = inspect\n", {"2: action = inspect needs to know who asks", "2: but there is no [inspection]"}},
		{"[inspection]\n", {"1: [inspection] has no ca-cert; want ca-cert = FILE", "1: [inspection] has no ca-key; want ca-key = FILE"}},
		{"[inspection x]\nca-cert = nothing\nca-key = pkcs11:token=x\n", {"1: [inspection] takes no name", "2: ca-cert: nothing cannot be read: No such file"}},
		{"[inspection]\nca-cert = .\nca-key = nothing\n", {"2: ca-cert: . is not a regular file", "3: ca-key: nothing cannot be read: No such file"}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:token=t;pin-value=1234\n", {"3: ca-key: this pkcs11: URI cannot be used: it holds a PIN (pin-value), which everybody"}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:token=t?pin-value=1234\n", {"3: ca-key: this pkcs11: URI cannot be used: it holds a PIN (pin-value), which everybody"}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:?pin-source=file:/x\n", {"3: ca-key: this pkcs11: URI cannot be used: it names no key; want pkcs11:token="}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:token=t;pin-source=file:/x\n", {"3: ca-key: this pkcs11: URI cannot be used: want NAME=VALUE with ; between them"}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:token\n", {"3: ca-key: this pkcs11: URI cannot be used: want NAME=VALUE with ; between them"}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:token=t?pin-source=x\n", {"3: ca-key: this pkcs11: URI cannot be used: its pin-source names no file; want pin-source=file:/..."}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:token=t?module-path=/x&module-path=/y\n", {"3: ca-key: this pkcs11: URI cannot be used: behind its ? it may say"}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:token=t?pin-source=file:/nothing\n", {"3: ca-key: pin-source: /nothing cannot be read: No such file"}},
		{"[inspection]\nca-cert = ca.pem\nca-key = pkcs11:token=t?module-path=/nothing.so\n", {"3: ca-key: module-path: /nothing.so cannot be read: No such file"}},
		{INSPECTION "trust = nothing\ncrl = nothing.crl\n", {"4: trust: nothing cannot be read", "5: crl: nothing.crl cannot be read"}},
		{INSPECTION "trust =\n", {"4: trust has no value; want system, or files such as extra.pem"}},
		{INSPECTION "trust = other.crl system system\n", {"4: trust names system twice", "4: trust: other.crl holds no certificate; want PEM"}},
		{INSPECTION "trust = !system\n", {"4: trust takes no \"!\""}},
		{INSPECTION "trust = ca.pem\ncrl = ca.pem\n", {"5: crl: ca.pem holds no CRL; want PEM (BEGIN X509 CRL) or DER"}},
		{INSPECTION "trust = cut.pem \"system\"\n", {"4: trust: cut.pem is cut off, or not PEM throughout", "4: trust: system cannot be read"}},
		{INSPECTION "trust = odd.pem odd.der\n", {"4: trust: odd.pem holds a certificate that cannot be read", "4: trust: odd.der holds a certificate that"}},
		{INSPECTION "min-tls = 1.1\n", {"4: min-tls = 1.1: want 1.2, 1.3"}},
		{INSPECTION "aia = true\nh2 = of\n", {"4: aia = true: want yes or no", "5: h2 = of: want yes or no"}},
		{INSPECTION "non-tls = inspect\nunknown-alpn = inspect\n", {"4: non-tls = inspect: want refuse, tunnel", "5: unknown-alpn = inspect: want refuse, tunnel"}},
		{INSPECTION "missing-sni = yes\nforeign-sni = block\n", {"4: want refuse, tunnel, inspect", "5: want refuse, tunnel, inspect"}},
		{INSPECTION "ech = inspect\n", {"4: ech = inspect: want fallback, refuse, tunnel"}},
		{INSPECTION "leaf-cache = 0\nleaf-validity = 9529h\nsigner-timeout = 61s\n",
		    {"4: leaf-cache = 0: want a number from 1", "5: leaf-validity = 9529h: want a time from 1h to 9528h", "6: signer-timeout = 61s: want a time"}},
		{INSPECTION "on-bad-origin = allow\n", {"4: on-bad-origin = allow: want block, warn or pass, for all kinds or for one as in expired:warn"}},
		{INSPECTION "on-bad-origin = expired:allow expird:warn :warn\n", {"4: on-bad-origin = expired:allow: want", "4: expird:warn: there is no such kind; want expired,", "4: = :warn: there is no such kind"}},
		{INSPECTION "on-bad-origin = block, pass expired:warn expired:warn\n",
		    {"4: on-bad-origin = pass: what is said of all kinds has an answer already", "4: on-bad-origin = expired:warn: this kind has an answer already"}},
		{INSPECTION "on-bad-origin = revoked:pass own-ca:warn revoked:block\n",
		    {"4: revoked:pass: such a certificate is never let through, since its authority has taken it back; want revoked:block",
		        "4: own-ca:warn: such a certificate is never let through, since it poses as one of ours; want own-ca:block"}},
		{INSPECTION "on-bad-origin =\n", {"4: on-bad-origin has no value; want block, warn or pass"}},
		{"[rule a]\naction = deny\non-bad-origin = revoked:warn\nunknown-alpn = no\n", {"3: revoked:warn: such a certificate is never", "4: unknown-alpn = no: want refuse, tunnel"}},
		{"[inspection]\nca-cert = weak.pem\nca-key = ca.key\n", {"2: ca-cert: the certificate in weak.pem has a key of 1024 bits, which is too short; want RSA with 2048 or more",
		    "2: ca-cert: the certificate in weak.pem is signed with a hash that is broken", "2: ca-cert: the certificate in weak.pem is not a CA's (basicConstraints)",
		    "2: weak.pem expired on 2001-01-01 00:00:00 UTC"}},
		/* parents */
		{"[parent up]\nweight = 2\n", {"1: [parent up] has no address; want address = HOST:PORT such as proxy.example.net:3128"}},
		{"[parent up]\naddress = proxy.example.net\n", {"2: address = proxy.example.net: want HOST:PORT such as"}},
		{"[parent up]\naddress = http://proxy.example.net:3128\n", {"2: address = http://proxy.example.net:3128: want HOST:PORT"}},
		{"[parent up]\naddress = a:0\nweight = -1\nauth = ntlm\n", {"2: address = a:0: want HOST:PORT", "3: weight = -1: want a number", "4: auth = ntlm: want none, basic, negotiate"}},
		{"[parent up]\naddress = a:1\nhealth-target = b\nfail-after = 0\n", {"1: health-target = b: want HOST:PORT", "4: fail-after = 0: want a number"}},
		{"[parent up]\naddress = a:1\nauth = basic\n", {"3: [parent up]: auth = basic wants credentials = FILE with one line user:password"}},
		{"[parent up]\naddress = a:1\nauth = basic\ncredentials = nothing\n", {"4: credentials: nothing cannot be read: No such file"}},
		{"[parent up]\naddress = a:1\nauth = basic\ncredentials = postern.ini\n", {"4: credentials: postern.ini has mode 0644, so that others can read or change a password; set it to 0600"}},
		{"[parent up]\naddress = a:1\nauth = negotiate\n", {"3: [parent up]: auth = negotiate wants keytab = FILE with the key of the account to log on with"}},
		{"[parent up]\naddress = a:1\nauth = negotiate\nkeytab = nothing\nprincipal = a b\n", {"4: keytab: nothing cannot be read: No such file",
		    "5: principal = a b: want a name such as postern@EXAMPLE.COM, one that the keytab has a key of"}},
		{"[parent up]\naddress = a:1\nauth = negotiate\nkeytab = postern.ini\n", {"4: keytab: postern.ini has mode 0644, so that others can read or change its keys; set it to 0640 or 0600"}},
		{"[parent none]\naddress = a:1\n", {"1: [parent none]: `none` stands for no parent; use another name"}},
		{"[parent up]\naddress = a:1\n[parent up]\naddress = b:1\n", {"3: [parent up] is given twice"}},
		{"[gateway]\nparent-balance = random\nparents-down = wait\n", {"2: want first, round-robin, client", "3: want refuse, direct"}},
		/* includes */
		{"include = missing.ini\n", {"1: missing.ini cannot be read: No such file"}},
		{"include =\n", {"1: has no value; want files"}},
		{"include = postern.ini\n", {"1: postern.ini includes itself"}},
		{"include = postern.*\n", {"1: postern.ini includes itself"}},
		{"include = .\n", {"1: . cannot be read: it is a directory"}},
		{"[gateway]\ninclude = x.ini\n", {"2: belongs in the top, before the first section"}},
	};
	(void)state;
	certificates_write();
	for (size_t i = 0; i < N(rows); i++) {
		char text[2000];
		snprintf(text, sizeof text, "%s" GOOD, rows[i].ini);
		dir_write("postern.ini", text);
		errors_check(text, rows[i].want, 4);
	}
}

static void
test_all_errors_come_in_one_go_in_the_order_of_file_and_line(void **state)
{
	static const char *const order[] = {
		"postern.ini:2: 10.list cannot be read", "postern.ini:5: ", "postern.ini:6: ", "postern.ini:7: ", "postern.ini:9: ", "postern.ini:10: ",
		"more.ini:2: ", "more.ini:3: ", "odd.list:2: ",
	};
	struct report r;
	struct conf  *c;
	char         *text, *at;

	(void)state;
	dir_write("odd.list", "a.example.com\nb c\n");
	dir_write("more.ini", "[gateway]\nworkers = 0\nvia = 1\n[list m]\nfile = odd.list\n");
	dir_write("postern.ini", "include = more.ini\n"
	                         "include = 10.list\n"
	                         "\n[list a]\n"
	                         "hosts = x\n"
	                         "address = y\n"
	                         "file = nothing\n"
	                         "[rule b]\n"
	                         "action = z\n"
	                         "what\n" GOOD);
	report_init(&r);
	c = conf_load("postern.ini", &r);
	text = report_text(&r, c);
	at = text;
	for (size_t i = 0; i < N(order); i++) {
		char *found = strstr(at, order[i]);
		if (!found)
			fail_msg("%s is missing, or not in its place, in:\n%s", order[i], text);
		at = found + 1;
	}
	assert_int_equal(r.errors, N(order));
	free(text);
	report_clear(&r);
	conf_free(c);
}

static void
test_without_options_the_defaults_hold(void **state)
{
	struct report             r;
	struct conf              *c = load_good("[listener a]\naddress = 127.0.0.1:0\n", &r);
	const struct conf_gateway *g = &c->gateway;
	struct conf_listener      *l = TAILQ_FIRST(&c->listeners);

	(void)state;
	assert_int_equal(g->workers, 0);
	assert_int_equal(g->workers_at.line, 0);
	assert_string_equal(g->user, "postern");
	assert_true(strlen(g->visible_name) > 0);
	assert_null(g->contact);
	assert_null(g->pages);
	assert_int_equal(g->max_connections, 0);
	assert_int_equal(g->max_connections_per_client, 1000);
	assert_int_equal(g->head_timeout_ms, 10000);
	assert_int_equal(g->connect_timeout_ms, 10000);
	assert_int_equal(g->response_timeout_ms, 60000);
	assert_int_equal(g->keepalive_timeout_ms, 60000);
	assert_int_equal(g->idle_timeout_ms, 3600000);
	assert_int_equal(g->drain_timeout_ms, 30000);
	assert_int_equal(g->drain_delay_ms, 0);
	assert_int_equal(g->hang_timeout_ms, 30000);
	assert_int_equal(g->max_head, 65536);
	assert_int_equal(g->max_request_body, 0);
	assert_int_equal(g->tunnel_buffer, 262144);
	assert_int_equal(g->pool_per_host, 64);
	assert_int_equal(g->pool_total, 1024);
	assert_int_equal(g->connect_ports.n, 1);
	assert_int_equal(g->connect_ports.v[0].first, 443);
	assert_int_equal(g->http_ports.n, 2);
	assert_int_equal(g->http_ports.v[1].first, 1025);
	assert_int_equal(g->http_ports.v[1].last, 65535);
	assert_int_equal(g->host_mismatch, MISMATCH_REPLACE);
	assert_true(g->via);
	assert_int_equal(g->x_forwarded_for, XFF_DELETE);
	assert_true(g->egress_deny.n > 10);
	assert_int_equal(g->egress_allow.n, 0);
	assert_true(g->resolver_system);
	assert_int_equal(g->resolvers.n, 0);
	assert_int_equal(g->dns_timeout_ms, 5000);
	assert_int_equal(g->dns_cache, 10000);
	assert_int_equal(g->regex_jit, TRI_AUTO);
	assert_int_equal(l->clients.n, g->egress_deny.n); /* private */
	report_clear(&r);
	conf_free(c);
}

static void
test_every_option_reaches_its_place(void **state)
{
	struct report              r;
	struct conf               *c;
	const struct conf_gateway *g;
	struct conf_listener      *l;
	struct conf_list          *s;
	struct conf_rule          *u;
	struct conf_log           *a;
	char                       text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_int_equal(mkdir("pages", 0700), 0);
	dir_write("x.list", "x.example.com\n");
	c = load_good("[gateway]\nworkers = 3\nuser = nobody\nvisible-name = proxy.example.com:3128\ncontact = \"help desk ; phone 1\" ; not 2\npages = pages\n"
	              "max-connections = 5\nmax-connections-per-client = 0\nhead-timeout = 1s\nconnect-timeout = 2s\nresponse-timeout = 3s\nkeepalive-timeout = 4s\n"
	              "idle-timeout = 5m\ndrain-timeout = 6ms\ndrain-delay = 7ms\nhang-timeout = 2s\nmax-head = 8k\nmax-request-body = 3g\ntunnel-buffer = 1m\npool-per-host = 7\npool-total = 8\n"
	              "connect-ports = 443, 8443\nconnect-ports = 9443\nhttp-ports = none\nhost-mismatch = refuse\nvia = no\nx-forwarded-for = append\n"
	              "egress-deny = 10.0.0.0/8\n  loopback ; more\n\n  2001:db8::/32\negress-allow = 10.1.2.3\nresolver = 192.0.2.53, [2001:db8::53]:5353\n"
	              "dns-timeout = 9s\ndns-cache = 10\nregex-jit = no\n"
	              "[listener one]\naddress = 127.0.0.1:3128\n   [::1]:3128\nclients = any\nmode = explicit\n"
	              "[list a]\nhost = *.example.com, !www.example.com\nfile = x.list\nhost = \"re:a b\"\naddress = 192.0.2.0/24 private\n"
	              "[rule first]\nhosts = @a !b.example.com\nports = 443 8000-8099\nschemes = https\nmethods = GET,PUT\nclients = 10.0.0.0/8\nlisteners = one\n"
	              "addresses = !private\ntimes = Mon-Fri 08:00-18:00\naction = tunnel\nauth = none\nreport = yes\nforce = yes\n"
	              "reason = Not\n  today ; ever\n"
	              "[rule second]\naction = bypass\nguard = report\n"
	              "[log json]\nfile = /tmp/x.log\nformat = json\nlog-query = on\n[log own]\nfile = own.log\nformat = %ts \"%rm %ru\" ; x\n[log out]\nfile = -\n", &r);
	g = &c->gateway;
	assert_int_equal(g->workers, 3);
	assert_int_equal(g->workers_at.line, 2);
	assert_string_equal(g->user, "nobody");
	assert_int_equal(g->user_at.line, 3);
	assert_string_equal(g->visible_name, "proxy.example.com:3128");
	assert_string_equal(g->contact, "help desk ; phone 1");
	assert_string_equal(g->pages, "pages");
	assert_int_equal(g->max_connections, 5);
	assert_int_equal(g->max_connections_per_client, 0);
	assert_int_equal(g->head_timeout_ms, 1000);
	assert_int_equal(g->connect_timeout_ms, 2000);
	assert_int_equal(g->response_timeout_ms, 3000);
	assert_int_equal(g->keepalive_timeout_ms, 4000);
	assert_int_equal(g->idle_timeout_ms, 300000);
	assert_int_equal(g->drain_timeout_ms, 6);
	assert_int_equal(g->drain_delay_ms, 7);
	assert_int_equal(g->hang_timeout_ms, 2000);
	assert_int_equal(g->max_head, 8192);
	assert_true(g->max_request_body == UINT64_C(3) << 30);
	assert_int_equal(g->tunnel_buffer, 1048576);
	assert_int_equal(g->pool_per_host, 7);
	assert_int_equal(g->pool_total, 8);
	assert_int_equal(g->connect_ports.n, 3);
	assert_int_equal(g->connect_ports.v[2].first, 9443);
	assert_int_equal(g->http_ports.n, 0);
	assert_int_equal(g->host_mismatch, MISMATCH_REFUSE);
	assert_false(g->via);
	assert_int_equal(g->x_forwarded_for, XFF_APPEND);
	assert_int_equal(g->egress_deny.n, 4);
	assert_int_equal(g->egress_deny.v[3].bits, 32);
	assert_int_equal(g->egress_allow.n, 1);
	assert_int_equal(g->egress_allow.v[0].bits, 128);
	assert_false(g->resolver_system);
	assert_int_equal(g->resolvers.n, 2);
	endpoint_print(&g->resolvers.v[0], text);
	assert_string_equal(text, "192.0.2.53:53");
	endpoint_print(&g->resolvers.v[1], text);
	assert_string_equal(text, "[2001:db8::53]:5353");
	assert_int_equal(g->dns_timeout_ms, 9000);
	assert_int_equal(g->dns_cache, 10);
	assert_int_equal(g->regex_jit, TRI_NO);

	l = TAILQ_FIRST(&c->listeners);
	assert_string_equal(l->name.p, "one");
	assert_int_equal(l->address.n, 2);
	assert_int_equal(l->clients.n, 1);
	assert_int_equal(l->clients.v[0].bits, 0);

	s = TAILQ_FIRST(&c->lists);
	assert_int_equal(s->hosts.n, 4);
	assert_true(s->hosts.v[1].negated && span_eq(s->hosts.v[1].text, SPAN("www.example.com")));
	assert_true(span_eq(s->hosts.v[2].text, SPAN("x.example.com")) && s->hosts.v[2].at.file == 1 && s->hosts.v[2].at.line == 1);
	assert_true(s->hosts.v[3].quoted && span_eq(s->hosts.v[3].text, SPAN("re:a b")));
	assert_int_equal(s->files.n, 1);
	assert_int_equal(s->addresses.n, 2);

	u = TAILQ_FIRST(&c->rules);
	assert_string_equal(u->name.p, "first");
	assert_int_equal(u->hosts.n, 2);
	assert_true(!u->hosts.v[0].negated && u->hosts.v[1].negated);
	assert_int_equal(u->ports.n, 2);
	assert_int_equal(u->schemes.n, 1);
	assert_int_equal(u->methods.n, 2);
	assert_int_equal(u->clients.n, 1);
	assert_int_equal(u->listeners.n, 1);
	assert_true(u->addresses.n == 1 && u->addresses.v[0].negated);
	assert_int_equal(u->times.n, 2);
	assert_true(u->has_action && u->report && u->force);
	assert_int_equal(u->action, ACTION_TUNNEL);
	assert_int_equal(u->auth, AUTH_NONE);
	assert_int_equal(u->guard, GUARD_ENFORCE);
	assert_string_equal(u->reason.p, "Not today");
	u = TAILQ_NEXT(u, link);
	assert_int_equal(u->action, ACTION_BYPASS);
	assert_int_equal(u->guard, GUARD_REPORT);
	assert_int_equal(u->auth, AUTH_DEFAULT);

	a = TAILQ_FIRST(&c->logs);
	assert_string_equal(a->file, "/tmp/x.log");
	assert_int_equal(a->format, LOG_JSON);
	assert_true(a->log_query);
	a = TAILQ_NEXT(a, link);
	assert_string_equal(a->file, LOG_DIR "/own.log");
	assert_int_equal(a->format, LOG_CUSTOM);
	assert_string_equal(a->custom.p, "%ts \"%rm %ru\"");
	assert_false(a->log_query);
	a = TAILQ_NEXT(a, link);
	assert_string_equal(a->file, "-");
	assert_int_equal(a->format, LOG_SQUID);
	report_clear(&r);
	conf_free(c);
}

static void
test_a_whole_needs_a_listener_and_is_warned_without_rules_or_logs(void **state)
{
	static const char *const want[] = {"postern.ini: there is no [listener NAME]"};
	struct report            r;
	struct conf             *c;
	char                    *text;

	(void)state;
	dir_write("postern.ini", "");
	errors_check("", want, 1);
	c = load_good("[listener a]\naddress = 127.0.0.1:0\n[rule x]\naction = deny\nguard = off\n", &r);
	text = report_text(&r, c);
	assert_non_null(strstr(text, "postern: postern.ini: warning: there is no [log NAME]"));
	assert_non_null(strstr(text, "postern: postern.ini:3: warning: [rule x] has a guard"));
	assert_null(strstr(text, "no [rule NAME]"));
	assert_int_equal(r.warnings, 2);
	free(text);
	report_clear(&r);
	conf_free(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_setup, dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_files_are_named_by_line_with_what_would_be_right),
		TEST(test_all_errors_come_in_one_go_in_the_order_of_file_and_line),
		TEST(test_without_options_the_defaults_hold),
		TEST(test_every_option_reaches_its_place),
		TEST(test_a_whole_needs_a_listener_and_is_warned_without_rules_or_logs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
