#!/bin/bash
# SPDX-License-Identifier: MIT
# Inspection beside nginx that ends TLS and begins it anew (ssl, proxy_pass https), in one run: the same client, the same origin. Needs root, nginx and
# openssl; without them it says so and does nothing. Squid's figures are in ../shared/bench/compare.sh tls, of whose figures these are the finer ones.
#
#   bench_inspect.sh [BUILD_DIR]
#
# One core (CPU 0) for nginx or the gateway, the other for origin and load. CPU figures are read from the processes; trust ratios within one run.
#   one host     a tunnel, two handshakes at most, one GET, close
#   cold, warm   the same over 1,000 hosts with a certificate each: no leaf known, then all of them; `few files`: the pool holds fewer origins than that
#   idle         resident memory of the worker for a tunnel that has done one GET and is kept; over 1,000 hosts each has an origin connection of its own
#   h2           GETs with 100 streams under way on each of 4 connections
#   open         resident memory of the worker for a stream whose answer has begun
set -u
build=$(cd "${1:-.}" && pwd)
count=${COUNT:-2000}
hosts=${HOSTS:-1000}
runs=${RUNS:-3}
if [ "$(id -u)" -ne 0 ] || ! { command -v nginx && command -v openssl && command -v taskset; } >/dev/null || [ "$(nproc)" -lt 2 ]; then
	echo "bench_inspect: left out: needs root, nginx, openssl and two CPUs"
	exit 0
fi
# The names of the origins are in a file that nobody else sees as /etc/hosts.
if [ -z "${BENCH_INSPECT_APART:-}" ]; then
	unshare -m true 2>/dev/null || { echo "bench_inspect: left out: needs a mount namespace"; exit 0; }
	BENCH_INSPECT_APART=yes exec unshare -m "$0" "$@"
fi
work=$(mktemp -d)
chmod 755 "$work"
pids=()
finish() {
	[ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	wait 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT
ulimit -n "$(ulimit -Hn)"
name=origin.bench.test

# --- certificates, and names that the gateway finds without a look-up ---
mkdir "$work/www" "$work/cert"
head -c 1024 /dev/urandom >"$work/www/1024"
head -c 65536 /dev/urandom >"$work/www/65536"
head -c 1048576 /dev/urandom >"$work/www/1048576"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/ca.key"
openssl req -x509 -new -key "$work/ca.key" -days 30 -subj "/CN=Bench root" -out "$work/ca.pem"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/origin.key"
certify() { # name
	openssl req -x509 -new -key "$work/origin.key" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 30 -subj "/CN=$1" -addext "subjectAltName=DNS:$1" \
		-addext basicConstraints=critical,CA:FALSE -out "$work/cert/$1.pem" 2>/dev/null
}
certify "$name"
for i in $(seq 0 "$((hosts - 1))"); do certify "h$i.$name"; done
{ echo "127.0.0.1 localhost $name" && for i in $(seq 0 "$((hosts - 1))"); do echo "127.0.0.1 h$i.$name"; done; } >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts || exit 1

# --- the origin on CPU 1, nginx as it would be in the gateway's place on CPU 0 ---
web() { # name, CPU, lines of http...
	local web=$1 cpu=$2
	shift 2
	printf '%s\n' 'user root; daemon off; worker_processes 1;' "pid $work/$web.pid; error_log $work/$web.err;" 'events { worker_connections 8000; }' \
		"http { keepalive_requests 1000000; keepalive_timeout 600s; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate_key $work/origin.key;" "$@" '}' >"$work/$web.conf"
	taskset -c "$cpu" nginx -c "$work/$web.conf" &
	pids+=($!)
}
web origin 1 'access_log off; sendfile on; ssl_session_cache shared:a:10m; http2_max_concurrent_streams 128;' \
	"root $work/www; ssl_certificate $work/cert/\$ssl_server_name.pem;" \
	'server { listen 127.0.0.1:9743 ssl; }' "server { listen 127.0.0.1:9745 ssl http2; location /slow/ { alias $work/www/; limit_rate 1k; } }"
web peer 0 "access_log $work/peer.log; upstream u { server 127.0.0.1:9743; keepalive 64; }" \
	"server { listen 127.0.0.1:9744 ssl; ssl_certificate $work/cert/$name.pem;" \
	'location / { proxy_pass https://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_ssl_server_name on;' \
	"proxy_ssl_name $name; proxy_ssl_verify on; proxy_ssl_trusted_certificate $work/ca.pem; proxy_buffering off; } }"
peer=${pids[1]}

# --- the gateway ---
"$build/postern" ca init --cert "$work/own.pem" --key "$work/own.key" --name "Bench inspection" >/dev/null || exit 1
chmod 600 "$work/own.key"
printf '%s\n' '[gateway]' 'workers = 1' 'user = root' 'connect-ports = 1-65535' 'egress-deny = none' 'max-connections-per-client = 0' 'keepalive-timeout = 10m' \
	'[listener l]' 'address = 127.0.0.1:3191' 'clients = any' '[inspection]' "ca-cert = $work/own.pem" "ca-key = $work/own.key" "trust = $work/ca.pem" \
	'[rule all]' 'hosts = .bench.test' 'action = inspect' 'auth = none' '[log access]' "file = $work/access.log" >"$work/gateway.ini"
gateway() { # most open files
	(ulimit -n "$1" && exec "$build/postern" run -c "$work/gateway.ini") >"$work/gateway.out" 2>&1 &
	parent=$!
	for _ in $(seq 100); do
		grep -q 'ready:' "$work/gateway.out" 2>/dev/null && break
		sleep 0.1
	done
	grep -q 'ready:' "$work/gateway.out" || { cat "$work/gateway.out"; exit 1; }
	pids+=("$parent")
	all=$parent,$(pgrep -P "$parent" | paste -sd, -)
	worker=$(pgrep -P "$parent" -f 'child worker')
	for p in ${all//,/ }; do taskset -acp 0 "$p" >/dev/null; done
	load get --host "$name:9743" --path /1024 --connections 8 --count 32 >/dev/null # the first of everything
}
gateway_end() {
	kill "$parent"
	wait "$parent" 2>/dev/null
	unset 'pids[-1]'
}
load() { taskset -c 1 "$build/inspect_load" "$1" --proxy 127.0.0.1:3191 "${@:2}"; }
row() { # label, words of load...
	printf '%-26s' "$1"
	load "${@:2}" --pid "$all"
}
peer_row() { # label, path, count
	printf '%-26s' "$1"
	taskset -c 1 "$build/inspect_load" get --host "$name:9744" --path "$2" --count "$3" --pid "$(pgrep -P "$peer")"
}
fresh() { # label, words of load...: memory, of a worker that has done nothing else
	gateway "$files"
	printf '%-26s' "$1"
	load "${@:2}" --pid "$worker"
	gateway_end
}
files=$(ulimit -n)
[ "$files" -gt 65536 ] && files=65536
[ "$files" -ge 32768 ] || echo "bench_inspect: $files open files at most: the pool holds $((files / 32)) origins, the others of $hosts hosts are connected to anew"

gateway "$files"
for _ in $(seq "$runs"); do
	peer_row "nginx, 1 KiB" /1024 "$count"
	row "one host, 1 KiB" get --host "$name:9743" --path /1024 --count "$count"
done
for _ in $(seq "$runs"); do
	peer_row "nginx, 1 MiB" /1048576 "$((count / 4))"
	row "one host, 1 MiB" get --host "$name:9743" --path /1048576 --count "$((count / 4))"
done
row "$hosts hosts, cold" get --host "$name:9743" --hosts "$hosts" --path /1024 --count "$hosts"
for _ in $(seq "$runs"); do
	peer_row "nginx, 1 KiB" /1024 "$count"
	row "$hosts hosts, warm" get --host "$name:9743" --hosts "$hosts" --path /1024 --count "$count"
done
for _ in $(seq "$runs"); do row "h2, 100 streams, 1 KiB" h2 --host "$name:9745" --path /1024 --connections 4 --streams 100 --count "$((count * 10))"; done
gateway_end
gateway 8192
row "few files, cold" get --host "$name:9743" --hosts "$hosts" --path /1024 --count "$hosts"
for _ in $(seq "$runs"); do row "few files, warm" get --host "$name:9743" --hosts "$hosts" --path /1024 --count "$count"; done
gateway_end
fresh "idle, one host" idle --host "$name:9743" --path /1024 --connections 2000
fresh "idle, $hosts hosts" idle --host "$name:9743" --hosts "$hosts" --path /1024 --connections "$hosts"
fresh "idle, h2, one host" idle --host "$name:9745" --path /1024 --connections 2000 --streams 1
fresh "idle, h2, $hosts hosts" idle --host "$name:9745" --hosts "$hosts" --path /1024 --connections "$hosts" --streams 1
fresh "open, h2" open --host "$name:9745" --path /slow/65536 --connections 20 --streams 100
