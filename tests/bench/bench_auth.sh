#!/bin/bash
# SPDX-License-Identifier: MIT
# Authentication beside Squid, in one run: the same clients, the same back ends. Needs root and a test domain: LAB names the folder of scripts that make
# one (ad-dc.sh, member.sh, squid.sh); default: ../shared/lab beside the project. Without it, or without Squid, it says so and does nothing.
#
#   bench_auth.sh [BUILD_DIR]
#
# One core (CPU 0) for the proxy and what it starts, the other for origin and load. CPU figures are read from the proxy's processes and its helpers, so
# they hold on a noisy machine; trust ratios within one run.
set -u
build=$(cd "${1:-.}" && pwd)
src=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB=${LAB:-$src/../shared/lab}
count=${COUNT:-20000}
if [ ! -x "$LAB/ad-dc.sh" ] || [ "$(id -u)" -ne 0 ] || ! command -v squid >/dev/null || ! command -v samba >/dev/null; then
	echo "bench_auth: left out: needs root, squid, samba and a test domain (LAB=$LAB)"
	exit 0
fi
work=$(mktemp -d)
chmod 755 "$work"
export LAB_NS=${LAB_NS:-pbl} LAB_DIR=$work/lab LAB_NET=${LAB_NET:-10.77.71}
# shellcheck source=/dev/null
. "$LAB/lab.env"
pids=()
finish() {
	[ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	"$LAB/squid.sh" stop >/dev/null 2>&1
	"$LAB/ad-dc.sh" destroy >/dev/null 2>&1
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT
getent passwd postern >/dev/null || useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin postern

"$LAB/ad-dc.sh" start >/dev/null && "$LAB/member.sh" start >/dev/null || exit 1
chgrp winbindd_priv "$LAB_DIR/px/state/winbindd_privileged"
px() { lab_exec px "$@"; }
in_px() { px "$@" & pids+=($!); }

# --- an origin ---
mkdir -p "$work/www"
head -c 512 /dev/zero | tr '\0' x >"$work/www/index.html"
cat >"$work/nginx.conf" <<-EOF
	worker_processes 1; pid $work/nginx.pid; error_log /dev/null; daemon off;
	events { worker_connections 8192; }
	http { access_log off; keepalive_requests 1000000;
	  client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
	  server { listen 8099; root $work/www; } }
EOF
chmod 755 "$work/www"
in_px taskset -c 1 nginx -c "$work/nginx.conf"

# --- the gateway ---
for u in alice bob; do printf 'Passw0rd-%s\nPassw0rd-%s\n' $u $u | "$build/postern" passwd --ntlm "$work/users.ntlm" $u >/dev/null || exit 1; done
printf 'Passw0rd-alice\nPassw0rd-alice\n' | "$build/postern" passwd "$work/users.basic" alice >/dev/null || exit 1
kdestroy -A 2>/dev/null
chmod 600 "$LAB_DIR"/*.keytab
px kinit -kt "$LAB_DIR/alice.keytab" -c "$work/ticket" alice || exit 1

gateway() { # name, lines for [auth]...
	local name=$1
	shift
	printf '%s\n' '[gateway]' 'workers = 1' 'visible-name = proxy.corp.example' 'egress-deny = none' 'max-connections-per-client = 0' 'http-ports = 1-65535' 'connect-ports = 1-65535' \
		'[listener l]' 'address = 127.0.0.1:3190' 'clients = any' '[log access]' "file = $work/access.log" \
		'[rule free]' 'hosts = 127.0.0.2' 'action = tunnel' 'auth = none' '[rule rest]' 'action = tunnel' \
		'[auth]' 'realm = bench' 'max-failures = none' "$@" >"$work/$name.ini"
	: >"$work/access.log"
	chown postern "$work/access.log"
	px "$build/postern" run -c "$work/$name.ini" >"$work/$name.out" 2>&1 &
	gateway=$!
	touch "$work/$name.out"
	for _ in $(seq 100); do
		grep -q 'ready:' "$work/$name.out" && break
		sleep 0.1
	done
	grep -q 'ready:' "$work/$name.out" || { cat "$work/$name.out"; exit 1; }
	# shellcheck disable=SC2009
	parent=$(pgrep -f "postern run -c $work/$name.ini" | while read -r p; do [ "$(cat /proc/"$p"/comm)" = postern ] && echo "$p"; done | head -n 1)
	for _ in $(seq 50); do pgrep -P "$parent" -f postern-auth >/dev/null 2>&1 && break; sleep 0.1; done
	all=$parent,$(pgrep -P "$parent" | paste -sd, -)
	for p in ${all//,/ }; do taskset -acp 0 "$p" >/dev/null; done
}
gateway_end() { kill "$parent"; wait "$gateway" 2>/dev/null; }
load() { # name, words...
	local name=$1
	shift
	printf '%-34s' "$name"
	px env KRB5CCNAME="$work/ticket" taskset -c 1 "$build/auth_load" "$@"
}

squid_pids() { # the proxy and its helpers
	local p
	for p in $(ip netns pids "$LAB_PX_NS"); do
		case $(cat "/proc/$p/comm" 2>/dev/null) in squid|ntlm_auth|ntlm-helper|basic_ncsa_auth|negotiate_*) echo "$p" ;; esac
	done
}
squid_run() { # name, squid.sh mode, user's domain
	"$LAB/squid.sh" start "$2" >/dev/null || { echo "squid ($2) does not start"; return; }
	for p in $(squid_pids); do taskset -acp 0 "$p" >/dev/null; done
	# helpers start on demand: one run to have them all
	px "$build/auth_load" ntlm --proxy "$LAB_PX_IP:3128" --url http://127.0.0.1:8099/ --domain CORP --count 500 --connections 16 >/dev/null
	for p in $(squid_pids); do taskset -acp 0 "$p" >/dev/null; done
	load "$1" ntlm --proxy "$LAB_PX_IP:3128" --url http://127.0.0.1:8099/ --domain CORP --count "$((count / 4))" --pid "$(squid_pids | paste -sd, -)"
	"$LAB/squid.sh" stop >/dev/null 2>&1
}
to=(--proxy 127.0.0.1:3190 --url http://127.0.0.1:8099/)

squid_run "squid, ntlm_auth (winbind)" winbind
squid_run "squid, a helper with NT hashes" file
gateway file "ntlm-file = $work/users.ntlm" "basic-file = $work/users.basic" 'basic-without-tls = yes' "keytab = $LAB_DIR/proxy.keytab"
load "postern, ntlm-file" ntlm "${to[@]}" --count "$count" --pid "$all"
load "postern, in mid-handshake" hold "${to[@]}" --connections 2000 --pid "$all"
load "postern, Kerberos" kerberos "${to[@]}" --count "$count" --pid "$all"
for _ in 1 2 3; do
	load "postern, no authentication" none --proxy 127.0.0.1:3190 --url http://127.0.0.2:8099/ --count "$count" --pid "$all"
	load "postern, Basic, remembered" basic "${to[@]}" --count "$count" --pid "$all"
done
gateway_end
make -s -C "$LAB/src" OUT="$LAB_DIR/bin" >/dev/null
for threads in 1 4 8; do
	printf '%-34s' "libwbclient, $threads threads"
	px "$LAB_DIR/bin/wbc-probe" CORP alice Passw0rd-alice "$threads" "$((count / 4 / threads))" | tail -n 1
done
gateway winbind 'domain = winbind'
load "postern, winbind" ntlm "${to[@]}" --domain CORP --connections 64 --count "$((count / 4))" --pid "$all"

# Tunnels that nobody has to log on for, while the directory is asked as much as it can take: the auth process and the domain on CPU 1, the worker on CPU 0.
# The client that is timed has precedence on CPU 1, so that what is seen is the gateway's part; `probe` is the same load without the gateway.
for p in ${all//,/ } $(ip netns pids "$LAB_DC_NS") $(ip netns pids "$LAB_PX_NS"); do
	case $(cat "/proc/$p/comm" 2>/dev/null) in postern-worker | postern | postern-logger) ;; *) taskset -acp 1 "$p" >/dev/null 2>&1 ;; esac
done
tunnels() {
	printf '%-34s' "$1"
	px nice -n -19 taskset -c 1 "$build/auth_load" connect --proxy 127.0.0.1:3190 --url //127.0.0.2:8099/ --connections 2 --count 4000
}
other_end() { # its command line: what was started in the namespace is not our own child
	pkill -f "$1"
	wait "$other"
} 2>/dev/null
for _ in 1 2 3; do
	tunnels "tunnels, nothing else"
	px taskset -c 1 "$LAB_DIR/bin/wbc-probe" CORP alice Passw0rd-alice 8 100000 >/dev/null 2>&1 &
	other=$!
	sleep 0.5
	tunnels "tunnels, libwbclient probes"
	other_end "wbc-probe CORP alice"
	px taskset -c 1 "$build/auth_load" ntlm "${to[@]}" --domain CORP --connections 64 --count 100000 >/dev/null 2>&1 &
	other=$!
	sleep 0.5
	tunnels "tunnels, log-ons by winbind"
	other_end "auth_load ntlm --proxy 127.0.0.1:3190"
done
gateway_end
