#!/bin/bash
# SPDX-License-Identifier: MIT
# What running costs traffic, seen by pings through a tunnel: reloads of a million patterns (and of some thousand regexes among them), then, with 9,000
# tunnels under way, the status page, metrics and the commands. "own part" is what the worker computed while a ping was on its way: the figure to trust on a
# machine that others use too.
#
#   bench_reload.sh [BUILD_DIR]
set -u
build=$(cd "${1:-.}" && pwd)
patterns=${PATTERNS:-1000000} regexes=${REGEXES:-2000} tunnels=${TUNNELS:-9000}
command -v curl >/dev/null || { echo "bench_reload: left out: needs curl"; exit 0; }
work=$(mktemp -d)
chmod 755 "$work"
pids=()
finish() { kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$work"; }
trap finish EXIT

list() { # seed, regexes
	awk -v n="$patterns" -v regexes="$2" -v seed="$1" 'BEGIN {
		srand(1)
		for (i = 0; i < n; i++) {
			word = ""
			for (k = 3 + int(rand() * 8); k; k--)
				word = word sprintf("%c", 97 + int(rand() * 26))
			if (i < regexes)
				printf "re:(www|api|cdn)[0-9]{1,3}\\.h%d-[a-z]+\\.%s-corp\\.com\n", i, word
			else
				printf "%s%s%d.%s-%d.%s\n", i % 20 == 0 ? "*." : i % 20 == 1 ? "." : "", word, i % 977, word, i % 20011, i % 3 ? "example.com" : "example.org"
		}
		printf "last%d.example\n", seed
	}'
}
list 1 0 >"$work/list.1"
list 2 0 >"$work/list.2"
list 3 "$regexes" >"$work/list.3"
cp "$work/list.1" "$work/million.list"
{
	printf '[gateway]\nworkers = 1\nuser = nobody\nconnect-ports = 1-65535\negress-deny = none\nmax-connections-per-client = 0\nmax-connections = %d\n' "$((tunnels + 100))"
	printf 'control = %s/control.sock\nadmin = 127.0.0.1:18181\n[listener edge]\naddress = 127.0.0.1:18180\n[log access]\nfile = %s/access.log\n' "$work" "$work"
	for i in $(seq 999); do
		printf '[rule r%d]\nhosts = h%d.example.net\naction = deny\n' "$i" "$i"
	done
	printf '[list million]\nfile = million.list\n[rule million]\nhosts = @million\naction = bypass\n[rule all]\naction = tunnel\nauth = none\n'
} >"$work/postern.ini"

"$build/postern" run -c "$work/postern.ini" 2>"$work/err" & parent=$!
pids+=("$parent")
for _ in $(seq 100); do grep -q ': ready' "$work/err" && break; sleep 0.1; done
worker=$(pgrep -P "$parent" -f worker | head -n 1)
[ -n "$worker" ] || { cat "$work/err"; exit 1; }

computed() { awk '{printf "%d", $1 / 1000}' "/proc/$1/schedstat"; }
phase() { # whom it is about
	printf '%-36s' "$1"
	: >"$work/ping.out"
	kill -USR1 "$ping"
	for _ in $(seq 50); do [ -s "$work/ping.out" ] && break; sleep 0.1; done
	cat "$work/ping.out"
}
pings() { # tunnels that it holds
	"$build/tunnel_ping" 18180 "$worker" "$1" >>"$work/ping.out" & ping=$!
	pids+=("$ping")
	for _ in $(seq 300); do grep -q ready "$work/ping.out" && break; sleep 0.1; done
}

pings 0
sleep 2
phase "nothing else"
for k in 2 1 3 1; do
	cp "$work/list.$k" "$work/million.list"
	before=$(computed "$parent") began=$(date +%s%N)
	"$build/postern" reload -c "$work/postern.ini" >/dev/null || exit 1
	printf 'reload of %d patterns, %d of them regexes: the parent computes %d ms, the answer is there after %d ms\n' "$patterns" "$([ $k = 3 ] && echo "$regexes" || echo 0)" \
		"$((($(computed "$parent") - before) / 1000))" "$((($(date +%s%N) - began) / 1000000))"
	sleep 1 # memory is given back
	phase "  meanwhile"
done
kill "$ping"

: >"$work/ping.out"
pings "$tunnels"
sleep 2
phase "$tunnels tunnels, nothing else"
for path in metrics "" status.json; do
	for _ in $(seq 20); do
		curl -s -o /dev/null -w '%{http_code} %{time_total} %{size_download}\n' "http://127.0.0.1:18181/$path"
		sleep 0.02
	done | sort -k2 -n | awk -v path="/$path" '{t[NR] = $2 * 1000; size = $3; code = $1} END {printf "%s: %s, %d bytes: %.1f ms in the middle, %.1f at most\n", path, code, size, t[int(NR / 2)], t[NR]}'
	phase "  meanwhile"
done
for word in sessions "sessions --json" status rules; do
	before=$(computed "$worker") began=$(date +%s%N)
	# shellcheck disable=SC2086
	lines=$("$build/postern" $word -c "$work/postern.ini" | wc -l)
	printf 'postern %s: %d lines after %d ms, of which the worker computes %d us\n' "$word" "$lines" "$((($(date +%s%N) - began) / 1000000))" "$(($(computed "$worker") - before))"
	phase "  meanwhile"
done
