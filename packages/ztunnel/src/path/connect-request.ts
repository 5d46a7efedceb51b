/** What an application's connection asks of the peer (l4-contract section 2.1). It never speaks for anybody but its own pod. */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { ConnectRequest } from '@clearmesh/shared/tunnel/engine';
import { formatBaggage } from '@clearmesh/shared/wire/baggage';
import { formatForwarded } from '@clearmesh/shared/wire/forwarded';
import { formatTraceparent } from '@clearmesh/shared/wire/traceparent';
import type { Traceparent } from '@clearmesh/shared/wire/traceparent';
import type { Captured } from '../resolve/route.ts';
import type { DialledRoute } from './route-dialer.ts';

export function requestFor(route: DialledRoute, { source, client }: Captured, trace: Traceparent): ConnectRequest {
  const host = route.service?.hostname;
  return {
    authority: authorityOf(route),
    headers: {
      baggage: formatBaggage(source),
      forwarded: formatForwarded(host === undefined ? { client } : { client, host }),
      traceparent: formatTraceparent(trace),
    },
  };
}

/** What the CONNECT asks for. */
export function authorityOf(route: DialledRoute): string {
  return route.kind === 'tunnel' ? formatSocketAddress(route.authority) : route.authority;
}
