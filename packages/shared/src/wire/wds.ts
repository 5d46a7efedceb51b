/** One resource of {@link ADDRESS_TYPE_URL}: a workload or a service (l4-contract section 3.3). */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Service } from '../model/service.ts';
import type { Workload } from '../model/workload.ts';
import { AddressSchema } from './gen/workload/workload_pb.ts';
import type { Address } from './gen/workload/workload_pb.ts';
import { decodeOrReject, refuse } from './rejected.ts';
import type { Rejected } from './rejected.ts';
import { fromServiceMessage, toServiceMessage } from './service.ts';
import { fromWorkloadMessage, toWorkloadMessage } from './workload.ts';

export type DecodedAddress =
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'service'; readonly service: Service }
  | Rejected;

/** Never throws: what cannot be used is rejected whole, with the field and value in the reason. */
export function decodeAddress(bytes: Uint8Array): DecodedAddress {
  return decodeOrReject((): DecodedAddress => {
    const { type } = fromBinary(AddressSchema, bytes);
    switch (type.case) {
      case 'workload':
        return { kind: 'workload', workload: fromWorkloadMessage(type.value) };
      case 'service':
        return { kind: 'service', service: fromServiceMessage(type.value) };
      case undefined:
        return refuse('type: neither a workload nor a service');
    }
  });
}

export function encodeWorkload(workload: Workload): Uint8Array {
  return toBinary(AddressSchema, workloadAddress(workload));
}

export function encodeService(service: Service): Uint8Array {
  return toBinary(AddressSchema, serviceAddress(service));
}

/** The message behind {@link encodeWorkload}, for dumps and comparisons field by field. */
export function workloadAddress(workload: Workload): Address {
  return create(AddressSchema, { type: { case: 'workload', value: toWorkloadMessage(workload) } });
}

/** The message behind {@link encodeService}, for dumps and comparisons field by field. */
export function serviceAddress(service: Service): Address {
  return create(AddressSchema, { type: { case: 'service', value: toServiceMessage(service) } });
}
