#!/bin/sh
# The first process of a machine: makes its file system, says "ready", and from then on only gathers ended processes.
# It starts in namespaces of its own (network, mounts, processes, host name).
#   init.sh ROOT NAME PROGRAMS
set -eu
root=$1 name=$2 programs=$3

echo "$name" > /proc/sys/kernel/hostname
mount --rbind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir run/lock run/netns

# Programs and libraries of this machine, which nobody inside may change.
mount --rbind /usr usr
mount -o remount,bind,ro usr
for folder in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$folder" ]; then
    ln -sfn "$(readlink "/$folder")" "$folder"
  elif [ -d "/$folder" ]; then
    mkdir -p "$folder"
    mount --rbind "/$folder" "$folder"
  fi
done
if [ -d /etc/alternatives ]; then mount --bind /etc/alternatives etc/alternatives; fi
mount --bind "$programs" opt/kubernetes/bin

# A start of its own, as the kubelet understands it: the kernel's is that of the machine around.
cat /proc/sys/kernel/random/uuid > run/boot_id
mount --bind run/boot_id proc/sys/kernel/random/boot_id

pivot_root . .
umount -l .
cd /
# Mounts of pods and of their volumes are seen by containers that ask for it, as on a node with systemd.
mount --make-rshared /

echo ready
exec > /dev/null 2>&1 < /dev/null
while :; do
  sleep 2147483647 &
  wait $!
done
