/**
 * Node agent ↔ node proxy, one message a packet (l4-contract section 5). Descriptors travel beside, not inside:
 * that an Add carries exactly one is for the socket's owner to check.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Version, WorkloadRequestSchema, WorkloadResponseSchema, ZdsHelloSchema } from './gen/zds/zds_pb.ts';
import type { WorkloadRequest } from './gen/zds/zds_pb.ts';

/** Largest packet in either direction, bytes. */
export const MAX_ZDS_PACKET = 1024;

export type ZdsPodInfo = { readonly name: string; readonly namespace: string; readonly serviceAccount: string };

/** `uid` is the pod's UID. */
export type ZdsRequest =
  | { readonly kind: 'add'; readonly uid: string; readonly info: ZdsPodInfo }
  | { readonly kind: 'keep'; readonly uid: string }
  | { readonly kind: 'del'; readonly uid: string }
  | { readonly kind: 'snapshotSent' };

/** `malformed` costs the connection; `protocol` means an agent that cannot be worked with. */
export type InvalidPacket = { readonly kind: 'invalid'; readonly cause: 'malformed' | 'protocol'; readonly reason: string };

export type ZdsAck = { readonly kind: 'ack'; /** Empty: done. */ readonly error: string };
export type ZdsHello = { readonly kind: 'hello' };

export function encodeZdsRequest(request: ZdsRequest): Uint8Array {
  return toBinary(WorkloadRequestSchema, create(WorkloadRequestSchema, messageOf(request)));
}

export function decodeZdsRequest(bytes: Uint8Array): ZdsRequest | InvalidPacket {
  return decoded(() => requestOf(fromBinary(WorkloadRequestSchema, bytes).payload));
}

/** The proxy's answer; an empty `error` acknowledges. An error that would not fit the packet is cut. */
export function encodeAck(error: string): Uint8Array {
  const message = create(WorkloadResponseSchema, { payload: { case: 'ack', value: { error: cut(error) } } });
  return toBinary(WorkloadResponseSchema, message);
}

export function decodeAck(bytes: Uint8Array): ZdsAck | InvalidPacket {
  return decoded(() => {
    const { payload } = fromBinary(WorkloadResponseSchema, bytes);
    return payload.case === 'ack' ? { kind: 'ack', error: payload.value.error } : malformed('the answer is no Ack');
  });
}

export function encodeHello(): Uint8Array {
  return toBinary(ZdsHelloSchema, create(ZdsHelloSchema, { version: Version.V1 }));
}

export function decodeHello(bytes: Uint8Array): ZdsHello | InvalidPacket {
  return decoded(() => {
    const { version } = fromBinary(ZdsHelloSchema, bytes);
    return version === Version.V1 ? { kind: 'hello' } : malformed(`version ${version} is not supported, only 1 is`);
  });
}

function messageOf(request: ZdsRequest): MessageInitShape<typeof WorkloadRequestSchema> {
  switch (request.kind) {
    case 'add':
      return { payload: { case: 'add', value: { uid: request.uid, workloadInfo: request.info } } };
    case 'keep':
      return { payload: { case: 'keep', value: { uid: request.uid } } };
    case 'del':
      return { payload: { case: 'del', value: { uid: request.uid } } };
    case 'snapshotSent':
      return { payload: { case: 'snapshotSent', value: {} } };
  }
}

function requestOf(payload: WorkloadRequest['payload']): ZdsRequest | InvalidPacket {
  switch (payload.case) {
    case 'add': {
      const { uid, workloadInfo } = payload.value;
      if (workloadInfo === undefined) return { kind: 'invalid', cause: 'protocol', reason: `Add of ${uid} lacks workload_info` };
      const { name, namespace, serviceAccount } = workloadInfo;
      return { kind: 'add', uid, info: { name, namespace, serviceAccount } };
    }
    case 'keep':
      return { kind: 'keep', uid: payload.value.uid };
    case 'del':
      return { kind: 'del', uid: payload.value.uid };
    case 'snapshotSent':
      return { kind: 'snapshotSent' };
    case undefined:
      return malformed('the request is neither Add, Keep, Del nor SnapshotSent');
  }
}

function decoded<Message>(decode: () => Message): Message | InvalidPacket {
  try {
    return decode();
  } catch (error) {
    return malformed(`not decodable: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function malformed(reason: string): InvalidPacket {
  return { kind: 'invalid', cause: 'malformed', reason };
}

/** UTF-8 needs at most three bytes for each UTF-16 unit. */
function cut(error: string): string {
  return error.slice(0, Math.floor((MAX_ZDS_PACKET - 16) / 3));
}
