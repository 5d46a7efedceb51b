import { describe } from 'mocha';
import { ip, service, workload } from '@clearmesh/shared/testing/builders';
import { cases, client } from './outbound-cases.ts';

describe('visibility and preference of services (section 7.1)', () => {
  const hidden = service({ name: 'hidden', namespace: 'other', visibility: 'NAMESPACE' });
  const shared = (namespace: string, canonical: boolean) => service({ namespace, hostname: 'api.example', canonical });
  const endpoint = (namespace: string, address: string) =>
    workload({ name: namespace, namespace, addresses: [address], services: { [`${namespace}/api.example`]: {} } });
  cases([
    {
      title: 'hide a service from other namespaces',
      to: '10.96.0.1:80',
      mesh: { services: [hidden] },
      gives: 'plain 10.96.0.1:80',
    },
    {
      title: 'show it to its own',
      to: '10.96.0.1:80',
      mesh: { services: [hidden] },
      setting: { source: { ...client, namespace: 'other' } },
      gives: 'refused no-healthy-upstream',
    },
    {
      title: 'hide a block of addresses from other namespaces, and take a wider one that is not hidden',
      to: '10.50.1.1:80',
      mesh: {
        services: [
          { ...hidden, addresses: [{ network: '', ip: ip('10.50.1.0'), prefixLength: 24 }] },
          service({ name: 'wide', addresses: ['10.50.0.0/16'] }),
        ],
        workloads: [workload({ name: 'w', addresses: ['10.1.0.1'], services: { 'bank/wide.bank.svc.cluster.local': {} } })],
      },
      gives: 'direct 10.1.0.1:15008 for 10.1.0.1:8080 as default',
    },
    {
      title: 'prefer the client’s namespace to a canonical service',
      to: '10.96.0.1:80',
      mesh: {
        services: [shared('core', true), shared('bank', false)],
        workloads: [endpoint('core', '10.1.0.1'), endpoint('bank', '10.1.0.2')],
      },
      gives: 'direct 10.1.0.2:15008 for 10.1.0.2:8080 as default',
    },
    {
      title: 'prefer a canonical service to one that came first',
      to: '10.96.0.1:80',
      mesh: {
        services: [shared('x', false), shared('core', true)],
        workloads: [endpoint('core', '10.1.0.1'), endpoint('x', '10.1.0.2')],
      },
      gives: 'direct 10.1.0.1:15008 for 10.1.0.1:8080 as default',
    },
    {
      title: 'prefer the longer prefix, except to a block of the client’s own namespace',
      to: '10.50.1.1:80',
      mesh: {
        services: [
          service({ name: 'wide', addresses: ['10.50.0.0/16'] }),
          service({ name: 'narrow', namespace: 'core', addresses: ['10.50.1.0/24'] }),
        ],
        workloads: [workload({ name: 'w', addresses: ['10.1.0.1'], services: { 'bank/wide.bank.svc.cluster.local': {} } })],
      },
      gives: 'direct 10.1.0.1:15008 for 10.1.0.1:8080 as default',
    },
  ]);
});
