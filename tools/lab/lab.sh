# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the lab and the tour share: a server and its clients in two network namespaces, nginx, a web
# application and redis on the server, and their end, also when the script is killed. Whoever
# sources it has set $here; lab_begin sets $server, $client and $dir.
top=$(cd "$here/../.." && pwd)
conntune=$(realpath -m "${CONNTUNE:-$top/build/src/app/conntune}")
seconds=12
max=4096
tag=$$
keep=no
server=ctlab-server-$tag
client=ctlab-client-$tag
dir=
limits=
PATH=$PATH:/usr/sbin:/sbin

say() {
	printf '\n== %s\n' "$*"
}

fail() {
	printf 'lab: %s\n' "$*" >&2
	exit 1
}

# Shows a command line and runs it; people can copy it as it stands (with --keep).
show() {
	printf '\n$ %s\n' "$(printf '%s ' "$@" | sed "s|$conntune|conntune|; s| \$||")"
	"$@"
}

in_server() {
	ip netns exec "$server" "$@"
}

# Stops with a sentence when the lab cannot be; the arguments are further programs it needs.
lab_check() {
	local tool
	[ "$(id -u)" = 0 ] || fail "network namespaces and iptables need root"
	[ -x "$conntune" ] || fail "$conntune is not built yet: make"
	for tool in ip iptables-restore redis-server redis-cli nginx setsid python3 "$@"; do
		[ -x "$(command -v "$tool")" ] || fail "$tool is missing; Debian has it in one of the" \
			"packages nginx-light redis-server iptables nftables iproute2 util-linux python3"
	done
}

# Ends the lab, whatever ended the script.
lab_finish() {
	local status=$?
	trap '' INT TERM HUP
	[ -n "$limits" ] && kill "$limits" 2>/dev/null && wait "$limits"
	if [ $keep = yes ]; then
		say "Kept: ip netns exec $server bash; remove all with $here/clean $tag"
	else
		"$here/clean" "$tag"
	fi
	exit $status
}

# A folder and the promise that all is removed in the end.
lab_begin() {
	local ended
	dir=$(mktemp -d "/tmp/conntune-lab.$tag.XXXXXX") || fail "no room in /tmp"
	chmod 711 "$dir"
	trap lab_finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	# A killed lab (SIGKILL) cleans nothing; this child outlives it and does.
	if [ $keep = no ]; then
		ended="import os, select; select.select([os.pidfd_open($tag)], [], [])"
		setsid sh -c "python3 -c '$ended'; exec '$here/clean' $tag" </dev/null >/dev/null 2>&1 &
	fi
}

lab_namespaces() {
	local ns
	say "1. A server and its clients, in two network namespaces joined by a cable"
	for ns in "$server" "$client"; do
		ip netns add "$ns" || fail "cannot make network namespaces"
	done
	ip -n "$server" link add eth0 type veth peer name eth0 netns "$client" || fail "cannot make a veth pair"
	ip -n "$server" addr add 192.0.2.1/24 dev eth0
	ip -n "$client" addr add 192.0.2.2/24 dev eth0
	for ns in "$server" "$client"; do
		ip -n "$ns" link set lo up
		ip -n "$ns" link set eth0 up
	done
	echo "   $client 192.0.2.2  ----  192.0.2.1 $server"
}

lab_rules() {
	say "2. The classic rule set on the server; its first rule switches connection tracking on"
	sed -n '/^-A INPUT/s/^/   /p' "$here/rules.v4"
	in_server iptables-restore <"$here/rules.v4" || fail "iptables-restore failed"
}

lab_write_configurations() {
	cat >"$dir/redis.conf" <<END
bind 127.0.0.1
port 6379
dir $dir
pidfile $dir/redis.pid
logfile $dir/redis.log
save ""
appendonly no
END
	cat >"$dir/nginx.conf" <<END
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.log;
events { worker_connections 4096; }
http {
	access_log off;
	keepalive_timeout 0;
	client_body_temp_path $dir/body;
	proxy_temp_path $dir/proxy;
	fastcgi_temp_path $dir/fastcgi;
	uwsgi_temp_path $dir/uwsgi;
	scgi_temp_path $dir/scgi;
	server {
		listen 80;
		location / { proxy_pass http://127.0.0.1:8000; proxy_connect_timeout 2s; }
	}
}
END
}

lab_services() {
	local i
	say "3. nginx on port 80, a web application behind it, redis on 127.0.0.1:6379"
	lab_write_configurations
	in_server redis-server "$dir/redis.conf" </dev/null >/dev/null 2>&1 &
	in_server python3 "$here/app.py" 8000 </dev/null >/dev/null 2>"$dir/app.log" &
	in_server nginx -p "$dir" -e "$dir/nginx.log" -c "$dir/nginx.conf" </dev/null >/dev/null 2>"$dir/nginx.err" ||
		fail "nginx did not start: $(cat "$dir/nginx.err")"
	for i in $(seq 50); do
		in_server redis-cli ping 2>/dev/null | grep -q PONG && break
		[ "$i" = 50 ] && fail "redis did not start: $(tail -1 "$dir/redis.log")"
		sleep 0.1
	done
	echo "   The application opens a connection to redis for every command, four in each request,"
	echo "   and closes it again: no pool. Each leaves an entry in TIME_WAIT for two minutes."
}

# Lowers nf_conntrack_max until the lab ends.
lab_lower_max() {
	local line
	say "4. nf_conntrack_max down to $max while the lab runs (it is one value for the whole machine)"
	coproc LIMITS { exec "$here/../limits" --for $tag --max $max; }
	limits=$LIMITS_PID
	read -r line <&"${LIMITS[0]}" || fail "nf_conntrack_max could not be changed"
	echo "   $line; put back when the lab ends, even if it is killed"
}

# At most $1 web requests in $2 s, and what became of them.
lab_browse() {
	ip netns exec "$client" python3 "$here/client.py" 192.0.2.1 "$1" "$2" | sed 's/^/   /'
}

# What the kernel wrote into its log about the server.
lab_kernel_log() {
	local inode
	inode=$(stat -L -c %i "/run/netns/$server")
	echo "   What the kernel wrote into its log meanwhile:"
	dmesg 2>/dev/null | grep -F "table full in netns $inode" | tail -2 | sed 's/^/   /'
}
