/** Images of the cluster itself; a name without a host is one of docker.io to every runtime. */
export const pauseImage = 'docker.io/clearmesh/pause:1';
export const corednsImage = 'docker.io/clearmesh/coredns:1';
/** Debian's static busybox with its applets by name: what tests run commands in. */
export const busyboxImage = 'docker.io/clearmesh/busybox:1';
