#!/bin/sh
# The first process of a task in namespaces of its own: makes a root that has the programs of the machine, read-only,
# and the task's folder as /workspace; then runs the command there. It stays, because the first process of a namespace
# gets no signals that it does not handle, and all others die with it.
#   sandbox.sh ROOT WORKSPACE FOLDER... -- COMMAND...
# ROOT: an empty folder. FOLDER: a folder or file that is shown, too, read-only, under its own name. File 3 is a socket
# to the agent, which learns when the command begins; it is closed when the agent dies.
set -eu
root=$1 workspace=$2
shift 2

show() {
  if [ -d "$1" ]; then mkdir -p "$root$1"; else mkdir -p "$root${1%/*}" && : >"$root$1"; fi
  mount --rbind "$1" "$root$1"
  # Refused for some mounts in a namespace of a user; permissions of files hold all the same.
  mount -o remount,bind,ro "$root$1" 2>/dev/null || :
}

mount --make-rprivate /
mount -t tmpfs -o mode=755,size=16m none "$root"
for name in bin sbin lib lib32 lib64 libx32 usr; do
  if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"; elif [ -d "/$name" ]; then show "/$name"; fi
done
for path in /etc/alternatives /etc/ld.so.cache /etc/ssl /etc/passwd /etc/group /etc/nsswitch.conf /etc/localtime; do
  if [ -e "$path" ]; then show "$path"; fi
done
mkdir "$root/proc" "$root/dev" "$root/tmp" "$root/workspace"
mount -t proc none "$root/proc"
for device in null zero full random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev none "$root/tmp"
mount --bind "$workspace" "$root/workspace"
# After /tmp: a folder may be below it.
while [ "$1" != -- ]; do
  show "$1"
  shift
done
shift
mount -o remount,bind,ro "$root" 2>/dev/null || :

(cat <&3 >/dev/null; kill -KILL -1) &
trap : TERM
# From here on signals have an effect.
echo >&3
chroot "$root" /bin/sh -c 'cd /workspace && exec "$@"' sh "$@" 3<&- &
child=$!
# A signal interrupts the waiting.
while :; do
  code=0
  wait "$child" || code=$?
  kill -0 "$child" 2>/dev/null || exit "$code"
done
