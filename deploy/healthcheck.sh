#!/bin/bash
# Whether the worker in this container can serve: f5tts-health [PORT PATH]
#
# Without arguments it asks /ping of a load-balancing endpoint, if PORT is set. A worker of the queue listens
# nowhere: it ends by itself when it cannot work, and its pings tell the platform that it lives.
set -eu
port=${1:-${PORT_HEALTH:-${PORT:-}}}
path=${2:-/ping}
[ -n "$port" ] || exit 0

# bash speaks TCP, so the image needs no HTTP client.
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$path" >&3
read -r -t 4 _ status _ <&3
[ "$status" = 200 ]
