/** Which programs have made rules of ours in a namespace, whatever these are. */
import type { AgentBed, PodName } from './agent-bed.ts';
import type { BackendName } from './redirect/backends.ts';

export const ruleNames: readonly BackendName[] = ['nft', 'iptables-nft', 'iptables-legacy'];

export function programsIn(bed: AgentBed, namespace: PodName | 'host'): readonly BackendName[] {
  return ruleNames.filter((name) => /istio-ambient|clearmesh|ISTIO_|CLEARMESH_/.test(shownBy(bed, namespace, name)));
}

function shownBy({ bed }: AgentBed, namespace: PodName | 'host', name: BackendName): string {
  if (name === 'nft') return bed.exec(namespace, 'nft', 'list', 'tables', 'inet');
  return ['iptables', 'ip6tables'].map((program) => bed.exec(namespace, `${name.replace('iptables', program)}-save`)).join('');
}
