/** What a service port speaks, by `appProtocol`, else by its name (control-plane-contract section 2.4). */
import type { AppProtocol } from '@clearmesh/shared/model/service';
import type { ServicePortManifest } from '../manifest/service.ts';

const byWord: ReadonlyMap<string, AppProtocol> = new Map([
  ['http', 'HTTP11'],
  ['http2', 'HTTP2'],
  ['grpc', 'GRPC'],
  ['https', 'TLS'],
  ['tls', 'TLS'],
  ['tcp', 'TCP'],
]);

const byKubernetesName: ReadonlyMap<string, AppProtocol> = new Map([
  ['kubernetes.io/h2c', 'HTTP2'],
  ['kubernetes.io/ws', 'HTTP11'],
  ['kubernetes.io/wss', 'TLS'],
]);

/** SMTP, DNS, MySQL, MongoDB: the server speaks first, so that sniffing would wait for ever. */
const serverFirstPorts: ReadonlySet<number> = new Set([25, 53, 3306, 27_017]);

export function appProtocolOf(port: ServicePortManifest): AppProtocol {
  if ((port.protocol ?? 'TCP') !== 'TCP') return 'UNKNOWN';
  // A field that is set decides alone: an unknown one does not fall back to the name.
  if (port.appProtocol !== undefined) return byField(port.appProtocol);
  const word = (port.name ?? '').toLowerCase();
  // grpc-web is no gRPC, although its name starts like one.
  if (word === 'grpc-web' || word.startsWith('grpc-web-')) return 'UNKNOWN';
  const prefix = word.split('-')[0] ?? '';
  const found = byWord.get(prefix);
  if (found !== undefined) return found;
  return serverFirstPorts.has(port.port) && !otherWords.has(prefix) ? 'TCP' : 'UNKNOWN';
}

/** Known to upstream, without a value on the wire. */
const otherWords: ReadonlySet<string> = new Set(['mongo', 'mysql', 'redis', 'udp', 'hbone']);

function byField(appProtocol: string): AppProtocol {
  const word = appProtocol.toLowerCase();
  return byKubernetesName.get(word) ?? byWord.get(word) ?? 'UNKNOWN';
}
