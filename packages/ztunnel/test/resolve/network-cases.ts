/** Networks beside that of the small bank: gateways by address and by name, and pods of the ledger behind them. */
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { identity, ip, service, workload } from '@clearmesh/shared/testing/builders';
import { ledger, ledgerPod } from './outbound-cases.ts';

/** The ledger with names that its pods in other networks prove. */
export const global: Service = { ...ledger, subjectAltNames: [identity('bank', 'ledger')] };
export const gatewayService: Service = service({
  name: 'gate',
  namespace: 'networks',
  addresses: ['10.96.0.20'],
  ports: { 15008: 15008 },
  subjectAltNames: [identity('networks', 'gate-named')],
});
export const byName: GatewayAddress = {
  kind: 'hostname',
  namespace: 'networks',
  hostname: gatewayService.hostname,
  hboneMtlsPort: 15008,
};
export const byAddress = (address: string, network = 'west'): GatewayAddress => ({
  kind: 'address',
  address: { network, ip: ip(address) },
  hboneMtlsPort: 15008,
});
/** As istiod serves a gateway that is known by its address. */
export const gatewayAt = (address: string, network = 'west', spec: Partial<Workload> = {}): Workload => ({
  ...workload({
    uid: `NetworkGateway/${network}/${address}/15008`,
    name: `gate-${network}`,
    namespace: 'networks',
    serviceAccount: `gate-${network}`,
    addresses: [address],
    network,
  }),
  ...spec,
});
export const gatePod = (index: number, spec: Partial<Workload> = {}): Workload => ({
  ...workload({
    name: `gate-${index}`,
    namespace: 'networks',
    serviceAccount: 'gate',
    addresses: [`10.0.9.${index}`],
    services: { [gatewayService.key]: { 15008: 15008 } },
  }),
  ...spec,
});
export const remote = (networkGateway: GatewayAddress | undefined, network = 'west', spec: Partial<Workload> = {}): Workload => {
  const { uid } = workload({ name: `ledger-${network}` });
  return { ...ledgerPod, uid, network, ...(networkGateway === undefined ? {} : { networkGateway }), ...spec };
};
/** As istiod serves all endpoints of a network as one. */
export const standIn = (networkGateway: GatewayAddress, network = 'west'): Workload =>
  remote(networkGateway, network, {
    uid: `${network}/SplitHorizonWorkload/networks/gate/1.2.3.4/${ledger.key}` as WorkloadUid,
    addresses: [],
    serviceAccount: 'default',
  });
export const vip = '10.96.0.1:80';
export const host: string = `${ledger.hostname}:80`;
