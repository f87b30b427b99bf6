#!/usr/bin/env bash
# fresh.sh [COMMAND...] - runs a command (make test) in a clone of HEAD on a bare Debian 12.
#
# The Debian has git, make and a package mirror, nothing else.  Needs root, debootstrap and the
# mirror; about a minute besides the command.  MIRROR: another mirror.  DATA: the folder that the
# tests find as BNNLUA_DATA.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- make test

root=$(mktemp -d /tmp/fresh.XXXXXX)
chmod 755 "$root" # apt reads it as another user
# One file system only: what is mounted below must not go with it.
trap 'umount "$root/proc" "$root/dev/pts" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT

debootstrap --variant=minbase --include=git,make bookworm "$root" \
  "${MIRROR:-http://deb.debian.org/debian}" >/dev/null
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -sf pts/ptmx "$root/dev/ptmx"
cp /etc/resolv.conf "$root/etc/"
rm -rf "$root"/var/lib/apt/lists/* # as an installed machine may have them: none
git clone -q . "$root/root/bnnlua"
if [ -n "${DATA:-}" ]; then cp -rL "$DATA" "$root/root/data"; fi

chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root ${DATA:+BNNLUA_DATA=/root/data} \
  sh -c 'cd /root/bnnlua && exec "$@"' sh "$@"
