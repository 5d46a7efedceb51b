/** Protobuf from the node agent and the control plane: no decoder throws, and what it takes comes back as it was. */
import { isDeepStrictEqual } from 'node:util';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { DeltaClient } from '@clearmesh/shared/subscribe/delta-client';
import type { Draw } from '@clearmesh/shared/testing/draw';
import { aimOfAuthorization, decodeAuthorization, encodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { DeltaDiscoveryResponseSchema, NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { decodeWaypointConfiguration, encodeWaypointConfiguration } from '@clearmesh/shared/wire/waypoint-configuration';
import { decodeAddress, encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import {
  MAX_ZDS_PACKET,
  decodeAck,
  decodeHello,
  decodeZdsRequest,
  encodeAck,
  encodeHello,
  encodeZdsRequest,
} from '@clearmesh/shared/wire/zds';
import { authorization, service, workload } from '../../arbitraries.ts';
import { waypointConfiguration } from '../../wire/waypoint-arbitraries.ts';
import { must } from '../target.ts';
import type { FuzzTarget } from '../target.ts';

/** The value comes back from its own encoding. */
function same<Value>(value: Value, again: Value): void {
  must(isDeepStrictEqual(again, value), () => `${text(value)} came back as ${text(again)}`);
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (part instanceof Map ? [...part] : part)).slice(0, 2000);
}

function runZds(input: Uint8Array): string {
  const request = decodeZdsRequest(input);
  if (request.kind !== 'invalid') same(request, decodeZdsRequest(encodeZdsRequest(request)));
  const ack = decodeAck(input);
  if (ack.kind === 'ack') {
    const packet = encodeAck(ack.error);
    must(packet.length <= MAX_ZDS_PACKET, () => `an Ack of ${packet.length} bytes`);
    const again = decodeAck(packet);
    must(
      again.kind === 'ack' && again.error.slice(0, 300) === ack.error.slice(0, 300),
      () => `${text(ack)} came back as ${text(again)}`,
    );
  }
  const hello = decodeHello(input);
  return [request, ack, hello].map((one) => (one.kind === 'invalid' ? one.reason.slice(0, 30) : one.kind)).join(' / ');
}

export const zds: FuzzTarget = {
  name: 'zds',
  corpus: () => [
    encodeZdsRequest({ kind: 'add', uid: 'u-1', info: { name: 'pay', namespace: 'bank', serviceAccount: 'pay-sa' } }),
    encodeZdsRequest({ kind: 'keep', uid: 'u-1' }),
    encodeZdsRequest({ kind: 'del', uid: 'u-1' }),
    encodeZdsRequest({ kind: 'snapshotSent' }),
    ...['', 'no such pod', 'x'.repeat(2000), '😀'.repeat(400), `y${'😀'.repeat(400)}`].map(encodeAck),
    encodeHello(),
  ],
  run: runZds,
};

/** The first byte says which decoder; the names are those of the resources. */
function runWds(input: Uint8Array): string {
  // A decoder keeps parts of what it gets, of the kind that it gets.
  const bytes = Uint8Array.from(input.subarray(1));
  switch ((input[0] ?? 0) % 4) {
    case 0:
      return runAddress(bytes);
    case 1:
      return runAuthorization(bytes);
    case 2:
      return runConfiguration(bytes);
    default:
      return runResponse(bytes);
  }
}

function runAddress(bytes: Uint8Array): string {
  const decoded = decodeAddress(bytes);
  if (decoded.kind === 'workload') same(decoded, decodeAddress(encodeWorkload(decoded.workload)));
  if (decoded.kind === 'service') same(decoded, decodeAddress(encodeService(decoded.service)));
  return decoded.kind === 'rejected' ? decoded.reason.replaceAll(/[^a-z_ ]/gi, '').slice(0, 40) : decoded.kind;
}

function runAuthorization(bytes: Uint8Array): string {
  const { scope } = aimOfAuthorization(bytes);
  const decoded = decodeAuthorization(bytes);
  if (decoded.kind === 'policy') same(decoded, decodeAuthorization(encodeAuthorization(decoded.policy)));
  return `${decoded.kind} ${scope}`;
}

function runConfiguration(bytes: Uint8Array): string {
  const decoded = decodeWaypointConfiguration(bytes);
  if (decoded.kind === 'rejected') return decoded.reason.slice(0, 20);
  same(decoded, decodeWaypointConfiguration(encodeWaypointConfiguration(decoded.configuration)));
  return decoded.kind;
}

function runResponse(bytes: Uint8Array): string {
  const response = responseOf(bytes);
  if (response === undefined) return 'no response';
  const client = new DeltaClient({ node: create(NodeSchema, { id: 'ztunnel' }) });
  const answer = client.recvResponse(response, ({ removed, upserts }) => {
    for (const name of removed) must(!upserts.some((upsert) => upsert.name === name), () => `${name} is removed and sent`);
    return upserts.flatMap(({ name, value }) => {
      const decoded = response.typeUrl === AUTHORIZATION_TYPE_URL ? decodeAuthorization(value) : decodeAddress(value);
      return decoded.kind === 'rejected' ? [{ name, reason: decoded.reason }] : [];
    });
  });
  must(answer.responseNonce === response.nonce, () => 'the answer is not to this response');
  for (const { typeUrl, initialResourceVersions } of client.connected())
    if (typeUrl !== response.typeUrl) must(Object.keys(initialResourceVersions).length === 0, () => `${typeUrl} was never sent`);
  return answer.errorDetail === undefined ? 'ACK' : 'NACK';
}

/** The transport decodes responses; what it cannot decode never arrives. */
function responseOf(bytes: Uint8Array): DeltaDiscoveryResponse | undefined {
  try {
    return fromBinary(DeltaDiscoveryResponseSchema, bytes);
  } catch {
    return undefined;
  }
}

function corpus(draw: Draw): readonly Uint8Array[] {
  const sample = <Value>(arbitrary: fc.Arbitrary<Value>, count: number): Value[] =>
    fc.sample(arbitrary, { numRuns: count, seed: draw.int(0, 2 ** 31 - 1) });
  const addresses = [...sample(workload, 16).map(encodeWorkload), ...sample(service, 16).map(encodeService)];
  const policies = sample(authorization, 16).map(encodeAuthorization);
  const responses = [
    [ADDRESS_TYPE_URL, addresses],
    [AUTHORIZATION_TYPE_URL, policies],
  ] as const;
  return [
    ...addresses.map((bytes) => tagged(0, bytes)),
    ...policies.map((bytes) => tagged(1, bytes)),
    ...sample(waypointConfiguration, 8).map((value) => tagged(2, encodeWaypointConfiguration(value))),
    ...responses.map(([typeUrl, values]) => tagged(3, responseBytes(typeUrl, values.slice(0, 4)))),
  ];
}

function responseBytes(typeUrl: string, values: readonly Uint8Array[]): Uint8Array {
  const resources = values.map((value, index) => ({
    name: `n${index}`,
    version: '1',
    resource: { typeUrl, value: Uint8Array.from(value) },
  }));
  return toBinary(
    DeltaDiscoveryResponseSchema,
    create(DeltaDiscoveryResponseSchema, { typeUrl, nonce: 'x', resources, removedResources: ['n0', 'gone'] }),
  );
}

function tagged(tag: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([tag]), bytes]);
}

export const wds: FuzzTarget = { name: 'wds', corpus, run: runWds };
