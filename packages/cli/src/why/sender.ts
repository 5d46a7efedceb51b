import type { Workload } from '@clearmesh/shared/model/workload';
import type { Party } from './party.ts';

/** Pods of one destination that are looked at. */
export const maxCallees = 16;

/** The caller, with an address. */
export type Sender = { readonly party: Party; readonly workload: Workload };
