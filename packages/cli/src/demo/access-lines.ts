/** Reading the proxies' access log (l4-contract section 11.2). */
import type { LogLine } from '../up/log-lines.ts';

type Fields = LogLine['fields'];

/** A field as text; "" when absent. */
export function text(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** The end of an inbound connection to a pod's workload. */
export function isInboundTo(workload: string): (fields: Fields) => boolean {
  return (fields) => fields['scope'] === 'access' && fields['direction'] === 'inbound' && fields['dst.workload'] === workload;
}

/** An inbound connection that policy refused, or ended. */
export function isDenialAt(workload: string): (fields: Fields) => boolean {
  const inbound = isInboundTo(workload);
  return (fields) => inbound(fields) && text(fields, 'error') !== '';
}
