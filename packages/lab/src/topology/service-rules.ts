/**
 * kube-proxy's part in a node, for pods that are not captured: a cluster IP becomes the address of a ready endpoint.
 * Captured pods never send to cluster IPs (their proxy resolves them), so the rules do not touch the mesh's traffic.
 */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/** A cluster IP and where uncaptured clients of it are sent (TCP). */
export type LabService = {
  readonly vip: string;
  readonly port: number;
  /** Ready endpoints; with none, connections are reset. */
  readonly endpoints: readonly { readonly ip: string; readonly port: number }[];
};

const table = 'ip clearmesh-services';

/** The whole table as text for `nft -f -`, which replaces the one before in a single transaction. */
export function serviceRules(services: readonly LabService[]): string {
  for (const service of services) checkService(service);
  const served = services.filter(({ endpoints }) => endpoints.length > 0);
  const empty = services.filter(({ endpoints }) => endpoints.length === 0);
  const endpointIps = [...new Set(served.flatMap(({ endpoints }) => endpoints.map(({ ip }) => ip)))];
  return [
    // Declared first, so that deleting it works when it did not exist.
    `table ${table} {}`,
    `delete table ${table}`,
    `table ${table} {`,
    ...chain('prerouting', 'nat', 'prerouting', 'dstnat', served.map(toEndpoint)),
    ...chain('hairpin', 'nat', 'postrouting', 'srcnat', endpointIps.map(masquerade)),
    // Before address translation, or the packet would be routed to a cluster IP that nobody has.
    ...chain('empty', 'filter', 'prerouting', 'mangle', empty.map(reset)),
    '}',
    '',
  ].join('\n');
}

function chain(name: string, type: string, hook: string, priority: string, rules: readonly string[]): readonly string[] {
  return [
    `  chain ${name} {`,
    `    type ${type} hook ${hook} priority ${priority}; policy accept;`,
    ...rules.map((rule) => `    ${rule}`),
    '  }',
  ];
}

function toEndpoint(service: LabService): string {
  const targets = service.endpoints.map(({ ip, port }, index) => `${index} : ${ip} . ${port}`);
  return `${matching(service)} dnat ip to numgen random mod ${targets.length} map { ${targets.join(', ')} }`;
}

function reset(service: LabService): string {
  return `${matching(service)} reject with tcp reset`;
}

/** A pod that calls its own service must see a foreign source, or it would take the packet for a forgery of its own. */
function masquerade(ip: string): string {
  return `ip saddr ${ip} ip daddr ${ip} ct status dnat masquerade`;
}

function matching({ vip, port }: LabService): string {
  return `ip daddr ${vip} tcp dport ${port}`;
}

/** The text goes to a privileged tool: only addresses and ports may become part of it. */
function checkService(service: LabService): void {
  for (const { ip, port } of [{ ip: service.vip, port: service.port }, ...service.endpoints]) {
    const isAddress = parseIp(ip) === ip && !ip.includes(':');
    if (isAddress && Number.isInteger(port) && port > 0 && port < 65536) continue;
    throw new MeshError('MESH-CONFIG-003', {
      message: `service ${service.vip}:${service.port} has the unusable address ${JSON.stringify(`${ip}:${port}`)}`,
      hint: 'Services of a lab need IPv4 addresses and ports from 1 to 65535.',
    });
  }
}
