/** Which addresses of one node's pod CIDR are in use. */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { NodePlan } from './plan.ts';

const firstHost = 2;
const lastHost = 254;

export class PodAddresses {
  readonly #node: NodePlan;
  readonly #used = new Set<number>();

  constructor(node: NodePlan) {
    this.#node = node;
  }

  /** Takes the address asked for, or the lowest free one; MESH-CONFIG-003 when that cannot be. */
  take(wanted?: string): string {
    const host = wanted === undefined ? this.#lowestFree() : this.#hostOf(wanted);
    this.#used.add(host);
    return `${this.#node.podPrefix}.${host}`;
  }

  release(ip: string): void {
    this.#used.delete(Number(ip.slice(ip.lastIndexOf('.') + 1)));
  }

  #lowestFree(): number {
    for (let host = firstHost; host <= lastHost; host++) if (!this.#used.has(host)) return host;
    throw new MeshError('MESH-CONFIG-003', {
      message: `node ${this.#node.name} has no pod address left in ${this.#node.podCidr}`,
      hint: `A node of a lab holds ${lastHost - firstHost + 1} pods: use another node.`,
    });
  }

  #hostOf(ip: string): number {
    const host = Number(/\.(\d{1,3})$/.exec(ip)?.[1]);
    const inRange = ip === `${this.#node.podPrefix}.${host}` && host >= firstHost && host <= lastHost;
    if (!inRange || this.#used.has(host)) {
      throw new MeshError('MESH-CONFIG-003', {
        message: `pod address ${ip} ${inRange ? 'is in use' : 'does not belong to the node'} (${this.#node.name}, ${this.#node.podCidr})`,
        hint: `Use a free address from ${this.#node.podPrefix}.${firstHost} to .${lastHost}, or none to get one.`,
      });
    }
    return host;
  }
}
