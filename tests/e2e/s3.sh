#!/usr/bin/env bash
# The tests of the bucket against two real servers: radosgw, which checks every signature, and moto.
# What cannot be installed here is skipped, with a line that says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
key=f5tts secret=not-a-secret-0123456789 bucket=speech
moto_pid=

finish() {
    [ -z "$moto_pid" ] || kill "$moto_pid" 2>/dev/null || true
    [ ! -d "$work/ceph" ] || bash tests/e2e/s3-radosgw.sh stop "$work/ceph"
    rm -rf "$work"
}
trap finish EXIT

skip() {
    echo "SKIPPED: tests of S3 with $1: $2" >&2
}

# The first of three free ports, outside of the range from which the system takes those of connections: a port of a
# connection that has just ended cannot be listened on.
free_ports() {
    python3 - <<'PYTHON'
import random
import socket

while True:
    first = random.randrange(20000, 30000)
    try:
        for port in range(first, first + 3):
            with socket.socket() as found:
                found.bind(("127.0.0.1", port))
    except OSError:
        continue
    print(first)
    break
PYTHON
}

has_radosgw() {
    command -v radosgw >/dev/null && command -v ceph-osd >/dev/null && command -v ceph-mon >/dev/null
}

install_radosgw() {
    has_radosgw && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    {
        apt-get update
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends radosgw ceph-mon ceph-osd
    } >"$work/apt.log" 2>&1 && has_radosgw
}

# Makes the bucket, which the second user may use with no more than the service needs.
make_bucket() {
    "$tools/bin/python" - "$1" "$key" "$secret" "$bucket" <<'PYTHON'
import json
import sys

import boto3

endpoint, key, secret, bucket = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)
s3.create_bucket(Bucket=bucket)
statement = {
    "Effect": "Allow",
    "Principal": {"AWS": [f"arn:aws:iam:::user/{key}-limited"]},
    "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    "Resource": [f"arn:aws:s3:::{bucket}/*"],
}
s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
PYTHON
}

# The tests that `cargo test` leaves out, because they need a server.
run_tests() {
    local server=$1 endpoint=$2 tests=(storage::real_s3)
    # Of a server in one thread there is nothing to learn about competing processes.
    [ "$server" = moto ] || tests+=(in_a_bucket_once)
    make_bucket "$endpoint"
    F5TTS_TEST_S3_SERVER=$server F5TTS_TEST_S3_ENDPOINT=$endpoint F5TTS_TEST_S3_BUCKET=$bucket \
        F5TTS_TEST_S3_KEY=$key F5TTS_TEST_S3_SECRET=$secret F5TTS_TEST_JOBS=${JOBS:-40} \
        timeout 600 cargo test --quiet --package f5tts-service --test it -- --ignored "${tests[@]}"
}

tools=${CARGO_TARGET_DIR:-target}/tools/moto-5.2.5
if ! [ -x "$tools/bin/moto_server" ]; then
    rm -rf "$tools"
    if ! { python3 -m venv "$tools" \
        && "$tools/bin/pip" install --quiet 'moto[s3]==5.2.5' 'flask==3.1.3' 'flask-cors==6.0.2'; } >"$work/pip.log" 2>&1; then
        rm -rf "$tools"
        skip 'radosgw and moto' "no Python environment ($(tail -n 1 "$work/pip.log"))"
        exit
    fi
fi

port=$(free_ports)
"$tools/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/moto.log" 2>&1 &
moto_pid=$!
for _ in $(seq 60); do
    if curl --silent --fail --output /dev/null "http://127.0.0.1:$port/"; then break; fi
    sleep 0.5
done
run_tests moto "http://127.0.0.1:$port"

if install_radosgw; then
    port=$(free_ports)
    timeout 120 bash tests/e2e/s3-radosgw.sh start "$work/ceph" "$port" "$key" "$secret"
    run_tests radosgw "http://127.0.0.1:$port"
else
    skip radosgw 'its packages are not there and cannot be installed (radosgw ceph-mon ceph-osd)'
fi
