import type { TunnelProtocol } from '@clearmesh/shared/model/workload';
import type { Labels } from '../manifest/metadata.ts';

/**
 * Only the annotation that the node agent writes after the capture rules and the proxy's acknowledgement counts:
 * a label says what is wished, not what is. Native HBONE speakers say so themselves.
 */
export function tunnelOf(
  labels: Labels | undefined,
  annotations: Labels | undefined,
): { readonly tunnelProtocol: TunnelProtocol; readonly nativeTunnel: boolean } {
  const nativeTunnel = labels?.['networking.istio.io/tunnel'] === 'http';
  const captured = annotations?.['ambient.istio.io/redirection'] === 'enabled';
  return { tunnelProtocol: nativeTunnel || captured ? 'HBONE' : 'NONE', nativeTunnel };
}
