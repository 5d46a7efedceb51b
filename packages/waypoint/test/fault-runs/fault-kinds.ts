/** What may go wrong in a run, and where: a campaign must have met every kind. */

/** Of the ledger, one for each request that arrives. */
const ledgerFaults = [
  'reset-before-reading',
  'die-before-booking',
  'die-after-booking',
  'half-head',
  'half-body',
  'malformed-answer',
  'late-past-try',
  'late-past-request',
  'late-booking',
  '500-before-booking',
  '500-after-booking',
  '503-retry-after',
  'slow-reading',
  'close-after-answer',
  'refused-stream',
  'goaway',
] as const;

/** Of an endpoint's proxy, one for each tunnel that is asked for. */
const tunnelFaults = ['refuse-tunnel', 'deny-tunnel', 'late-tunnel', 'cut-tunnel'] as const;

/** Of the whole run, at a time of their own. */
const runFaults = [
  'refuse-connect',
  'endpoint-removed',
  'configuration-change',
  'drain',
  'redis-kill',
  'redis-restart',
  'redis-pause',
] as const;

/** Of the caller. */
const callerFaults = ['leave', 'leave-mid-body', 'leave-in-answer', 'twin', 'changed-body'] as const;

export type LedgerFault = (typeof ledgerFaults)[number];
export type TunnelFault = (typeof tunnelFaults)[number];
export type RunFault = (typeof runFaults)[number];
type CallerFault = (typeof callerFaults)[number];
export type FaultKind = LedgerFault | TunnelFault | RunFault | CallerFault;

export const faultKinds: readonly FaultKind[] = [...ledgerFaults, ...tunnelFaults, ...runFaults, ...callerFaults];
