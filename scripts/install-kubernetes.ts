/** `node scripts/install-kubernetes.ts` builds what the cluster tier and tests with an API server need, and prints the paths. */
import { installCoredns, installHelm, installKubernetes } from '@clearmesh/shared/testing/kubernetes/install-kubernetes';

const first = await installKubernetes(['kube-apiserver', 'kube-controller-manager', 'kubectl']);
const helm = await installHelm();
const rest = await installKubernetes(['kube-scheduler', 'kubelet', 'kube-proxy']);
const coredns = await installCoredns();
for (const [name, path] of Object.entries({ ...first, helm, ...rest, coredns })) process.stdout.write(`${name}\t${path}\n`);
