#!/bin/bash
# SPDX-License-Identifier: MIT
# What limits cost those who have none, in one run: the CPU that a worker takes for a GiB through a tunnel and through a plain request, when nothing is
# limited, when another rule is, and when a limit stands that is never reached. Needs nginx and curl; trust ratios within one run.
#
#   bench_limits.sh [BUILD_DIR]
set -u
build=$(cd "${1:-.}" && pwd)
rounds=${ROUNDS:-5}
command -v nginx >/dev/null && command -v curl >/dev/null || { echo "bench_limits: left out: needs nginx and curl"; exit 0; }
work=$(mktemp -d)
pids=()
finish() { kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$work"; }
trap finish EXIT

mkdir "$work/www"
chmod -R 755 "$work"
truncate -s 1G "$work/www/big"
cat >"$work/nginx.conf" <<-END
	worker_processes 1; pid $work/nginx.pid; error_log /dev/null; daemon off;
	events { worker_connections 512; }
	http { access_log off; sendfile on;
	  client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
	  server { listen 127.0.0.1:18099; root $work/www; } }
END
nginx -c "$work/nginx.conf" & pids+=($!)

gateway() { # name, port, lines of the rule for all, another rule
	cat >"$work/$1.ini" <<-END
		[gateway]
		workers = 1
		user = nobody
		connect-ports = 18099
		http-ports = 18099
		egress-deny = none
		[listener edge]
		address = 127.0.0.1:$2
		$4
		[rule all]
		action = tunnel
		auth = none
		$3
	END
	"$build/postern" run -c "$work/$1.ini" 2>"$work/$1.err" & pids+=($!)
	for _ in $(seq 100); do grep -q ': ready' "$work/$1.err" && break; sleep 0.1; done
	worker[$1]=$(pgrep -P $! -f worker | head -n 1)
	port[$1]=$2
}
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }

declare -A worker port best
gateway none 18101 "" ""
gateway other 18102 "" "[rule slow]
hosts = slow.example
action = tunnel
auth = none
bandwidth = 1m
max-connections = 1"
gateway high 18103 "bandwidth = 16g
max-connections = 1000" ""
for _ in $(seq "$rounds"); do
	for name in none other high; do
		for way in "" -p; do
			before=$(ticks "${worker[$name]}")
			# shellcheck disable=SC2086
			curl -sS $way -x "127.0.0.1:${port[$name]}" -o /dev/null http://127.0.0.1:18099/big || exit 1
			took=$((($(ticks "${worker[$name]}") - before) * 10))
			[ -n "${best[$name$way]:-}" ] && [ "${best[$name$way]}" -le "$took" ] || best[$name$way]=$took
		done
	done
done
for way in "" -p; do
	[ -n "$way" ] && what="tunnel" || what="plain request"
	for name in none other high; do
		printf '%-14s limits: %-6s %5d ms of CPU for a GiB, %s of none\n' "$what" "$name" "${best[$name$way]}" \
			"$(awk "BEGIN {printf \"%.2f\", ${best[$name$way]} / ${best[none$way]}}")"
	done
done
