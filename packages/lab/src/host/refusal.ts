/** Why no network namespace can be made, and the exact way out. */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type RefusalFacts = {
  readonly uid: number;
  /** What the attempt said. */
  readonly attempt: string;
  /** The settings as read, `undefined` where the kernel lacks them. */
  readonly unprivilegedUsernsClone: string | undefined;
  readonly maxUserNamespaces: string | undefined;
  readonly apparmorRestricts: string | undefined;
};

/** The error for an ordinary user, or a confined root, that may not make namespaces. */
export function explainRefusal(facts: RefusalFacts): MeshError {
  const who = facts.uid === 0 ? 'root lacks CAP_NET_ADMIN and CAP_SYS_ADMIN here' : 'network namespaces need root';
  const message = `${who}, and a user namespace is refused: ${firstLine(facts.attempt)}`;
  return new MeshError('MESH-HOST-001', { message, hint: wayOut(facts) });
}

function wayOut(facts: RefusalFacts): string {
  const withRoot = facts.uid === 0 ? 'run the container with --privileged' : 'run it with sudo';
  if (facts.unprivilegedUsernsClone === '0') return `Either ${withRoot}, or: sudo sysctl kernel.unprivileged_userns_clone=1`;
  if (facts.maxUserNamespaces === '0') return `Either ${withRoot}, or: sudo sysctl user.max_user_namespaces=15000`;
  if (facts.apparmorRestricts === '1') {
    return `AppArmor restricts user namespaces: either ${withRoot}, or: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`;
  }
  const confined = 'a container’s seccomp profile or SELinux may forbid user namespaces';
  return `${withRoot[0]?.toUpperCase()}${withRoot.slice(1)}; no kernel setting stands in the way (${confined}).`;
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}
