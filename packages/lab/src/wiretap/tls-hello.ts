/** The two messages of a TLS handshake that stay readable: ClientHello and ServerHello (RFC 8446 section 4.1). */
import { createHash } from 'node:crypto';
import { ByteReader } from './byte-reader.ts';
import { groupName, versionName } from './tls-names.ts';
import type { TlsRecord } from './tls-record.ts';

export type ClientHello = {
  /** From supported_versions, or the one version of older clients; in the client's order. */
  readonly versions: readonly string[];
  /** From supported_groups, in the client's order. */
  readonly groups: readonly string[];
  /** Groups that the client already sent a share for. */
  readonly keyShares: readonly string[];
  readonly alpn: readonly string[];
  readonly sni: string | undefined;
};

export type ServerHello = {
  readonly version: string;
  /** TLS 1.3 only: before, the group is in a later message. */
  readonly group: string | undefined;
  /** True for a HelloRetryRequest: the client guessed another group. */
  readonly isRetry: boolean;
};

const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;

const SERVER_NAME = 0;
const SUPPORTED_GROUPS = 10;
const ALPN = 16;
const SUPPORTED_VERSIONS = 43;
const KEY_SHARE = 51;

// RFC 8446 section 4.1.3: a HelloRetryRequest is a ServerHello whose random is this hash.
const retryRandom = createHash('sha256').update('HelloRetryRequest').digest();

/** The ClientHello that a stream begins with; `undefined` when it begins otherwise. Never throws. */
export function clientHelloOf(records: readonly TlsRecord[]): ClientHello | undefined {
  const message = firstMessage(records, CLIENT_HELLO);
  return message === undefined ? undefined : parseClientHello(message);
}

/** The ServerHello (or HelloRetryRequest) that a stream begins with; `undefined` when it begins otherwise. Never throws. */
export function serverHelloOf(records: readonly TlsRecord[]): ServerHello | undefined {
  const message = firstMessage(records, SERVER_HELLO);
  return message === undefined ? undefined : parseServerHello(message);
}

/** A message may span records (section 5.1); its body, if the first one is whole and of this type. */
function firstMessage(records: readonly TlsRecord[], type: number): Uint8Array | undefined {
  const end = records.findIndex((record) => record.type !== 'handshake');
  const handshake = end === -1 ? records : records.slice(0, end);
  // No hello needs more than a few records; a stream may have millions.
  const reader = new ByteReader(Buffer.concat(handshake.slice(0, 16).map(({ body }) => body)));
  const actual = reader.uint8();
  const body = reader.bytes(reader.uint24());
  return actual === type && !reader.failed ? body : undefined;
}

function parseClientHello(body: Uint8Array): ClientHello | undefined {
  const reader = new ByteReader(body);
  const legacyVersion = reader.uint16();
  reader.bytes(32);
  const sessionId = reader.vector(1);
  const cipherSuites = reader.vector(2);
  const compressions = reader.vector(1);
  const extensions = parseExtensions(reader);
  const isWellFormed =
    sessionId.length <= 32 && cipherSuites.length >= 2 && cipherSuites.length % 2 === 0 && compressions.length > 0;
  if (reader.failed || reader.remaining > 0 || legacyVersion >> 8 !== 3 || !isWellFormed || extensions === undefined)
    return undefined;
  return {
    versions: numbers(extensions.get(SUPPORTED_VERSIONS), 1, versionName) ?? [versionName(legacyVersion)],
    groups: numbers(extensions.get(SUPPORTED_GROUPS), 2, groupName) ?? [],
    keyShares: shares(extensions.get(KEY_SHARE)),
    alpn: protocols(extensions.get(ALPN)),
    sni: serverName(extensions.get(SERVER_NAME)),
  };
}

function parseServerHello(body: Uint8Array): ServerHello | undefined {
  const reader = new ByteReader(body);
  const legacyVersion = reader.uint16();
  const random = reader.bytes(32);
  const sessionId = reader.vector(1);
  reader.bytes(3);
  const extensions = parseExtensions(reader);
  if (reader.failed || reader.remaining > 0 || legacyVersion >> 8 !== 3 || sessionId.length > 32 || extensions === undefined)
    return undefined;
  const version = extensions.get(SUPPORTED_VERSIONS);
  const share = extensions.get(KEY_SHARE);
  return {
    version: versionName(version === undefined ? legacyVersion : new ByteReader(version).uint16()),
    group: share === undefined ? undefined : groupName(new ByteReader(share).uint16()),
    isRetry: retryRandom.equals(random),
  };
}

/** By number; before TLS 1.3 a hello may end without any. `undefined` when they are malformed. */
function parseExtensions(reader: ByteReader): ReadonlyMap<number, Uint8Array> | undefined {
  const found = new Map<number, Uint8Array>();
  if (reader.failed || reader.remaining === 0) return found;
  const list = new ByteReader(reader.vector(2));
  while (list.remaining > 0) found.set(list.uint16(), list.vector(2));
  return list.failed ? undefined : found;
}

/** A vector of 16-bit numbers, its length in `width` bytes. */
function numbers(extension: Uint8Array | undefined, width: 1 | 2, name: (code: number) => string): readonly string[] | undefined {
  if (extension === undefined) return undefined;
  const list = new ByteReader(new ByteReader(extension).vector(width));
  const names: string[] = [];
  while (list.remaining > 1) names.push(name(list.uint16()));
  return names;
}

function shares(extension: Uint8Array | undefined): readonly string[] {
  const list = new ByteReader(new ByteReader(extension ?? new Uint8Array(0)).vector(2));
  const names: string[] = [];
  while (list.remaining > 0) {
    const group = list.uint16();
    list.vector(2);
    if (!list.failed) names.push(groupName(group));
  }
  return names;
}

/** RFC 7301 section 3.1. */
function protocols(extension: Uint8Array | undefined): readonly string[] {
  const list = new ByteReader(new ByteReader(extension ?? new Uint8Array(0)).vector(2));
  const names: string[] = [];
  while (list.remaining > 0) {
    const name = list.vector(1);
    if (!list.failed) names.push(Buffer.from(name).toString('latin1'));
  }
  return names;
}

/** RFC 6066 section 3: the first entry of type host_name (0). */
function serverName(extension: Uint8Array | undefined): string | undefined {
  const list = new ByteReader(new ByteReader(extension ?? new Uint8Array(0)).vector(2));
  const type = list.uint8();
  const name = list.vector(2);
  return list.failed || type !== 0 ? undefined : Buffer.from(name).toString('latin1');
}
