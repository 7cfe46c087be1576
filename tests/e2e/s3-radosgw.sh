#!/usr/bin/env bash
# A throwaway Ceph of one host: one monitor, one object store in memory, and radosgw, which speaks S3. As root.
#   s3-radosgw.sh start DIR PORT KEY SECRET    and    s3-radosgw.sh stop DIR
# PORT and the two after it have to be free. DIR is absolute.
# Two users: KEY owns what it makes; KEY-limited has the same secret and no right of its own.
set -euo pipefail
action=$1 dir=$2
export CEPH_CONF=$dir/ceph.conf

# Ends what was started for this directory, and nothing else: the variable is in the environment of all of it.
stop() {
    local process
    for process in /proc/[0-9]*; do
        [ "${process#/proc/}" != $$ ] || continue
        case $(tr '\0' ' ' <"$process/cmdline" 2>/dev/null) in
            *ceph* | *radosgw*) ;;
            *) continue ;;
        esac
        if tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qxF "CEPH_CONF=$CEPH_CONF"; then
            kill -KILL "${process#/proc/}" 2>/dev/null || true
        fi
    done
    rm -rf "$dir"
}

if [ "$action" = stop ]; then
    stop
    exit
fi

port=$3 key=$4 secret=$5
mkdir -p "$dir"/{mon,osd,run,log,rgw}
fsid=$(cat /proc/sys/kernel/random/uuid)
cat >"$CEPH_CONF" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$((port + 1))/0,v1:127.0.0.1:$((port + 2))/0]
public addr = 127.0.0.1
keyring = $dir/keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
run dir = $dir/run
log file = $dir/log/\$name.log
admin socket = $dir/run/\$name.asok
pid file = $dir/run/\$name.pid
ms bind ipv6 = false
[mon.a]
mon data = $dir/mon
mon data avail crit = 1
mon data avail warn = 2
[osd.0]
osd data = $dir/osd
[client.rgw]
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw thread pool size = 32
CONF
ring=$dir/keyring
{
    ceph-authtool --create-keyring "$ring" --gen-key --name mon. --cap mon 'allow *'
    ceph-authtool "$ring" --gen-key --name client.admin --cap mon 'allow *' --cap osd 'allow *'
    # radosgw waits for ever where the keys are turned off.
    ceph-authtool "$ring" --gen-key --name client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
    ceph-authtool "$ring" --gen-key --name osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
    monmaptool --create --fsid "$fsid" \
        --addv a "[v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]" "$dir/monmap"
    ceph-mon --mkfs --id a --monmap "$dir/monmap" --keyring "$ring"
    ceph-mon --id a
    ceph osd create
    ceph osd crush add osd.0 1 root=default host=localhost
    ceph-osd --id 0 --mkfs
    ceph-osd --id 0
    for user in "$key" "$key-limited"; do
        radosgw-admin user create --uid "$user" --display-name "$user" --access-key "$user" --secret-key "$secret"
    done
    radosgw --name client.rgw
} >"$dir/log/start" 2>&1 || { cat "$dir/log/start" >&2; stop; exit 1; }
# It goes to the background before it listens.
for _ in $(seq 120); do
    if curl --silent --fail --output /dev/null "http://127.0.0.1:$port/"; then exit; fi
    sleep 0.5
done
tail -n 20 "$dir"/log/*.log >&2
stop
exit 1
