#!/bin/bash
# SPDX-License-Identifier: MIT
# What one tunnel and one plain request cost a worker with everything on that a gateway at the edge has on: an access log, metrics, a control socket,
# 1,000 rules. Counted, not timed: instructions (callgrind) and system calls (strace), so the figures hold on a busy machine too. OTHER names another
# postern, an older one say, which gets the same load with one rule, an access log, and nothing that it may not know yet.
#
#   [OTHER=POSTERN] bench_edge.sh [BUILD_DIR]
set -u
build=$(cd "${1:-.}" && pwd)
n=${N:-2000}
for tool in valgrind strace nginx wrk setpriv; do
	command -v "$tool" >/dev/null || { echo "bench_edge: left out: needs $tool"; exit 0; }
done
work=$(mktemp -d)
pids=()
finish() { kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$work"; }
trap finish EXIT

mkdir "$work/www" "$work/bin"
head -c 1024 /dev/urandom >"$work/www/1k"
cp "$build/postern" "$work/bin/this"
[ -z "${OTHER:-}" ] || cp "$OTHER" "$work/bin/other"
chmod -R 755 "$work"
chown 65534:65534 "$work" # callgrind writes as whom the gateway runs as
cat >"$work/nginx.conf" <<-END
	worker_processes 1; pid $work/nginx.pid; error_log /dev/null; daemon off;
	events { worker_connections 512; }
	http { access_log off; sendfile on; keepalive_requests 10000000;
	  client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
	  server { listen 127.0.0.1:18099; root $work/www; } }
END
nginx -c "$work/nginx.conf" & pids+=($!)
printf 'wrk.path = "http://127.0.0.1:18099/1k"\nwrk.headers["Host"] = "127.0.0.1:18099"\n' >"$work/wrk.lua"

configure() { # name, rules, port, more lines of [gateway]
	printf '[gateway]\nworkers = 1\nuser = nobody\nconnect-ports = 1-65535\negress-deny = none\nmax-connections-per-client = 0\n%b' "$4"
	printf '[listener edge]\naddress = 127.0.0.1:%d\n[log access]\nfile = %s/access.log\n' "$3" "$work"
	for i in $(seq 2 "$2"); do
		printf '[rule r%d]\nhosts = h%d.example.net *.d%d.example.org\naction = deny\n' "$i" "$i" "$i"
	done
	printf '[rule all]\naction = tunnel\nauth = none\n'
}
configure this 1000 18191 "admin = 127.0.0.1:18193\ncontrol = $work/control.sock\n" >"$work/this.ini"
configure other 1 18192 "" >"$work/other.ini"
declare -A port=([this]=18191 [other]=18192)

run() { # name, a command before it; then the worker's pid is in $worker, the parent's in $parent
	rm -f "$work"/access.log "$work/control.sock" "$work/err"
	# shellcheck disable=SC2086
	setpriv --reuid 65534 --regid 65534 --clear-groups $2 "$work/bin/$1" run -c "$work/$1.ini" 2>"$work/err" & parent=$!
	pids+=("$parent")
	for _ in $(seq 600); do grep -q ': ready' "$work/err" && break; sleep 0.1; done
	worker=$(pgrep -P "$parent" -f worker | head -n 1)
}
load() { # kind, name: prints how many
	case $1 in
	nothing) echo 0 ;;
	tunnel)
		: >"$work/ping"
		"$build/tunnel_ping" "${port[$2]}" "$worker" "$n" >"$work/ping" & local ping=$!
		for _ in $(seq 600); do grep -q ready "$work/ping" && break; sleep 0.1; done
		kill "$ping"
		wait "$ping"
		for _ in $(seq 300); do [ "$(wc -l <"$work/access.log")" -ge "$n" ] && break; sleep 0.1; done
		echo "$n"
		;;
	request) wrk -t1 -c16 -d3 -s "$work/wrk.lua" "http://127.0.0.1:${port[$2]}" | awk '/requests in/ {print $1}' ;;
	esac
}
end() {
	kill "$parent"
	timeout 60 tail --pid="$parent" -f /dev/null
}

names=this
[ -z "${OTHER:-}" ] || names="other this"
for name in $names; do
	for kind in nothing tunnel request; do
		run "$name" "valgrind -q --tool=callgrind --trace-children=yes --callgrind-out-file=$work/cg.%p"
		units=$(load "$kind" "$name")
		end
		instructions=$(awk '/^summary:/ {print $2}' "$work/cg.$worker")
		[ "$kind" = nothing ] && { none=$instructions; continue; }
		run "$name" ""
		strace -f -qq -c -o "$work/calls" -p "$worker" 2>/dev/null & tracer=$!
		sleep 0.5
		traced=$(load "$kind" "$name")
		kill "$tracer"
		wait "$tracer"
		end
		printf '%-5s one %-8s %6d instructions, %5.2f system calls\n' "$name" "$kind:" "$(((instructions - none) / units))" \
			"$(awk -v n="$traced" '$NF == "total" {print $4 / n}' "$work/calls")"
	done
done
