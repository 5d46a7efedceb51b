/** Reading the proxies' access logs: of ztunnels (l4-contract section 11.2) and of waypoints (l7-and-resilience B15). */
import type { LogLine } from '../up/log-lines.ts';

type Fields = LogLine['fields'];

/** A field as text; "" when absent. A dot leads into an object, unless a field has the whole name. */
export function text(fields: Fields, name: string): string {
  const value = fields[name] ?? inside(fields, name);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function inside(fields: Fields, name: string): unknown {
  const dot = name.indexOf('.');
  const outer = dot < 0 ? undefined : fields[name.slice(0, dot)];
  return typeof outer === 'object' && outer !== null ? (outer as Fields)[name.slice(dot + 1)] : undefined;
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

/** An inbound connection that somebody brought on behalf of this caller. */
export function isOnBehalfOf(caller: string): (fields: Fields) => boolean {
  return (fields) => fields['scope'] === 'access' && fields['direction'] === 'inbound' && fields['src.caller'] === caller;
}

/** A request at a waypoint. */
export function isRequest(method: string, path: string): (fields: Fields) => boolean {
  return (fields) => fields['scope'] === 'access' && fields['method'] === method && fields['path'] === path;
}

/** The request of one trace at a waypoint. */
export function isOfTrace(traceId: string): (fields: Fields) => boolean {
  return (fields) => fields['scope'] === 'access' && fields['trace_id'] === traceId;
}
