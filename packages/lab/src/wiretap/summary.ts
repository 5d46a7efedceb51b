/**
 * What an eavesdropper on the link learns: the evidence that a mesh encrypts, so every doubt counts against it.
 *
 * W1  a connection is TLS only if it begins with a ClientHello, the answer begins with a ServerHello (or is one alert:
 *     the handshake was refused), and every byte of both directions is part of a TLS record.
 * W2  payload of any other connection between two pods is plaintext, also when the capture lacks its beginning.
 * W3  a secret is looked for in every payload on the link, TLS or not, pod or not.
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Packet } from './packet.ts';
import { reassemble } from './tcp-connection.ts';
import type { TcpConnection } from './tcp-connection.ts';
import { clientHelloOf, serverHelloOf } from './tls-hello.ts';
import { parseTlsRecords } from './tls-record.ts';

export type TlsStream = {
  /** `ip:port` of the client. */
  readonly from: string;
  readonly to: string;
  /** What the server chose, e.g. `TLSv1.3`; undefined when it did not answer, or refused. */
  readonly version: string | undefined;
  /** In the client's order. */
  readonly groupsOffered: readonly string[];
  /** Undefined before TLS 1.3, which does not show it in the ServerHello. */
  readonly groupChosen: string | undefined;
  /** Offered by the client (TLS 1.3 seals the choice). */
  readonly alpn: readonly string[];
  readonly sni: string | undefined;
};

export type PlaintextSample = { readonly from: string; readonly to: string; readonly text: string };

export type WireReport = {
  readonly packets: number;
  /** Bytes on the wire, headers included. */
  readonly bytes: number;
  /** TCP payload bytes between the given pods that are not part of a TLS stream. */
  readonly plaintextBytes: number;
  /** TLS connections between the given pods. */
  readonly tlsStreams: readonly TlsStream[];
  /** At most 8 excerpts of at most 120 characters, bytes that cannot be printed as dots. */
  readonly plaintextSamples: readonly PlaintextSample[];
  /** Packets that are not TCP, whoever sent them. */
  readonly nonTcp: number;
  /** Connections between the pods whose beginning or middle the capture lacks. */
  readonly incomplete: number;
  /** Where a secret was readable; `secret` is its index. */
  readonly secretsSeen: readonly { readonly secret: number; readonly from: string; readonly to: string }[];
};

export type SummaryOptions = {
  /** IP addresses of the pods. */
  readonly pods: ReadonlySet<string>;
  /** Bytes that must not be readable, e.g. an account number that the traffic carries. */
  readonly secrets: readonly Uint8Array[];
};

const maxSamples = 8;
const sampleLength = 120;

type Payload = { readonly from: string; readonly to: string; readonly bytes: Buffer };

/** Judges a capture. */
export function summarise(packets: readonly Packet[], options: SummaryOptions): WireReport {
  const connections = reassemble(packets);
  const between = connections.filter(({ client, server }) => options.pods.has(client.ip) && options.pods.has(server.ip));
  const judged = between.map((connection) => ({ connection, stream: tlsStreamOf(connection) }));
  const plain = judged.filter(({ stream }) => stream === undefined).flatMap(({ connection }) => payloadsOf(connection));
  const everything = [...connections.flatMap(payloadsOf), ...packets.flatMap(otherPayload)];
  return {
    packets: packets.length,
    bytes: packets.reduce((sum, { length }) => sum + length, 0),
    plaintextBytes: plain.reduce((sum, { bytes }) => sum + bytes.length, 0),
    tlsStreams: judged.flatMap(({ stream }) => stream ?? []),
    plaintextSamples: plain.slice(0, maxSamples).map((payload) => sampleOf(payload, options.secrets)),
    nonTcp: packets.filter(({ content }) => content.kind !== 'tcp').length,
    incomplete: between.filter(({ isWhole }) => !isWhole).length,
    secretsSeen: options.secrets.flatMap((secret, index) =>
      everything.filter(({ bytes }) => holds(bytes, secret)).map(({ from, to }) => ({ secret: index, from, to })),
    ),
  };
}

/** The connection as TLS, or `undefined` when it is not (W1). A connection without any payload is none. */
export function tlsStreamOf(connection: TcpConnection): TlsStream | undefined {
  const [asked, answered] = [parseTlsRecords(connection.toServer.bytes), parseTlsRecords(connection.toClient.bytes)];
  if (asked === undefined || answered === undefined || !connection.isWhole) return undefined;
  const hello = clientHelloOf(asked);
  const answer = serverHelloOf(answered);
  const isRefusal = answered.length <= 1 && answered.every(({ type }) => type === 'alert');
  if (hello === undefined || (answer === undefined && !isRefusal)) return undefined;
  return {
    from: formatSocketAddress(connection.client),
    to: formatSocketAddress(connection.server),
    version: answer?.version,
    groupsOffered: hello.groups,
    groupChosen: answer?.group,
    alpn: hello.alpn,
    sni: hello.sni,
  };
}

function payloadsOf({ client, server, toServer, toClient }: TcpConnection): readonly Payload[] {
  const [left, right] = [formatSocketAddress(client), formatSocketAddress(server)];
  const both: readonly Payload[] = [
    { from: left, to: right, bytes: toServer.bytes },
    { from: right, to: left, bytes: toClient.bytes },
  ];
  return both.filter(({ bytes }) => bytes.length > 0);
}

function otherPayload({ content }: Packet): readonly Payload[] {
  if (content.kind === 'tcp') return [];
  const bytes = Buffer.from(content.payload.buffer, content.payload.byteOffset, content.payload.byteLength);
  return content.kind === 'ip' ? [{ from: content.source, to: content.destination, bytes }] : [{ from: '', to: '', bytes }];
}

/** Around the first secret in it, else its beginning. */
function sampleOf({ from, to, bytes }: Payload, secrets: readonly Uint8Array[]): PlaintextSample {
  const secret = secrets.find((candidate) => holds(bytes, candidate));
  const found = secret === undefined ? 0 : bytes.indexOf(secret);
  const start = Math.max(0, found - sampleLength / 2);
  const text = bytes.toString('latin1', start, start + sampleLength);
  return { from, to, text: text.replaceAll(/[^\x20-\x7e]/g, '.') };
}

function holds(bytes: Buffer, secret: Uint8Array): boolean {
  // An empty secret would be found everywhere.
  return secret.length > 0 && bytes.includes(secret);
}
