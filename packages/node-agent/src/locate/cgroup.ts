/**
 * Which pod a process belongs to, by its /proc/PID/cgroup. Pure. The forms, all of which end in a folder of the pod:
 *
 *   cgroupfs          4:memory:/kubepods/burstable/pod<uid>/<container>          0::/kubepods/pod<uid>/<container>
 *   systemd           0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid, _ for ->.slice/cri-containerd-<id>.scope
 *   kind and nested   0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod<uid, _ for ->.slice/…
 *   other namespace   0::/../../kubepods-burstable-pod<uid>.slice/…  and  0::/../../pod<uid>/…: what is above a reader in a cgroup
 *                     namespace of its own is shown as `..`, so that nothing before the pod's folder can be relied on.
 *
 * A pod of a file has no UID of the API server: its folder has the file's hash, 32 digits (annotation kubernetes.io/config.hash).
 */

const podFolder =
  /^(?:.*-)?pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/;

/** The UID in the process's cgroup, with dashes; `undefined` for a process of no pod. */
export function podUidOf(cgroup: string): string | undefined {
  for (const line of cgroup.split('\n')) {
    // hierarchy:controllers:path; a path may hold colons.
    const path = line.split(':').slice(2).join(':');
    for (const folder of path.split('/')) {
      const uid = podFolder.exec(folder)?.[1];
      if (uid !== undefined) return uid.replaceAll('_', '-');
    }
  }
  return undefined;
}

/** Field 22 of /proc/PID/stat: when the process started, in ticks since boot. The name before may hold anything. */
export function startTimeOf(stat: string): number | undefined {
  const afterName = stat.slice(stat.lastIndexOf(')') + 1).trim();
  const ticks = Number(afterName.split(' ')[19]);
  return afterName === '' || !Number.isSafeInteger(ticks) ? undefined : ticks;
}
