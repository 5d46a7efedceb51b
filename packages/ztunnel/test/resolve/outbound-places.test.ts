import { describe } from 'mocha';
import { service, workload } from '@clearmesh/shared/testing/builders';
import type { WorkloadSpec } from '@clearmesh/shared/testing/builders';
import { byHostname, cases, client, ledger, ledgerPod, waypoint, waypointPod } from './outbound-cases.ts';

const legacy: WorkloadSpec = { ...ledgerPod, tunnelProtocol: 'NONE' };
const onNode = (spec: WorkloadSpec, node: string) => workload({ ...spec, node });

describe('resolveOutbound (section 7) by where a pod is', () => {
  const places = [
    { place: 'of the client’s own node', node: 'node-a' },
    { place: 'of another node', node: 'node-b' },
  ];
  for (const { place, node } of places) {
    const [tunnelled, plain] = [onNode(ledgerPod, node), onNode(legacy, node)];
    cases([
      {
        title: `tunnels to an HBONE pod ${place}, by its address`,
        to: '10.0.0.2:7',
        mesh: { workloads: [tunnelled] },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:7 as ledger',
      },
      {
        title: `tunnels to an HBONE pod ${place}, by its service`,
        to: '10.96.0.1:80',
        mesh: { services: [ledger], workloads: [tunnelled] },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
      },
      {
        title: `sends plain TCP to a pod without HBONE ${place}, by its address`,
        to: '10.0.0.2:7',
        mesh: { workloads: [plain] },
        gives: 'plain 10.0.0.2:7',
      },
      {
        title: `sends plain TCP to a pod without HBONE ${place}, by its service`,
        to: '10.96.0.1:80',
        mesh: { services: [ledger], workloads: [plain] },
        gives: 'plain 10.0.0.2:8080',
      },
    ]);
  }
});

describe('resolveOutbound (section 7) by target port', () => {
  const numbered = service({ name: 'numbered', addresses: ['10.96.0.5'], ports: { 80: 8080 } });
  const named = service({ name: 'named', addresses: ['10.96.0.6'], ports: { 80: 0 } });
  const pod = (at: number, ports: Readonly<Record<number, number>>) =>
    workload({
      name: `pod-${at}`,
      addresses: [`10.0.1.${at}`],
      services: { [numbered.key]: {}, [named.key]: ports },
    });
  const services = [numbered, named];
  cases([
    {
      title: 'takes a number',
      to: '10.96.0.5:80',
      mesh: { services, workloads: [pod(1, {})] },
      gives: 'direct 10.0.1.1:15008 for 10.0.1.1:8080 as default',
    },
    {
      title: 'takes what a name means at the pod that is chosen',
      to: '10.96.0.6:80',
      mesh: { services, workloads: [pod(1, { 80: 9091 })] },
      gives: 'direct 10.0.1.1:15008 for 10.0.1.1:9091 as default',
    },
    {
      title: 'leaves out a pod where the name means nothing',
      to: '10.96.0.6:80',
      mesh: { services, workloads: [pod(1, {}), pod(2, { 80: 9092 })] },
      gives: 'direct 10.0.1.2:15008 for 10.0.1.2:9092 as default',
    },
    {
      title: 'refuses a name that means nothing anywhere',
      to: '10.96.0.6:80',
      mesh: { services, workloads: [pod(1, {}), pod(2, {})] },
      gives: 'refused no-healthy-upstream',
    },
    {
      title: 'refuses a port that the service does not have, though a pod maps it',
      to: '10.96.0.6:81',
      mesh: { services, workloads: [pod(1, { 81: 9091 })] },
      gives: 'refused no-healthy-upstream',
    },
  ]);
});

describe('resolveOutbound (section 7) from a pod that has a waypoint of its own', () => {
  const bound = { ...client, waypoint: byHostname };
  const mesh = { services: [waypoint, ledger], workloads: [waypointPod, ledgerPod] };
  cases([
    {
      title: 'goes straight to other pods: a waypoint is the destination’s',
      to: '10.0.0.2:8080',
      mesh,
      setting: { source: bound },
      gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
    },
    {
      title: 'goes straight to services without one',
      to: '10.96.0.1:80',
      mesh,
      setting: { source: bound },
      gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
    },
    {
      title: 'passes its own waypoint on the way to itself',
      to: '10.0.0.1:8080',
      mesh,
      setting: { source: bound },
      gives: 'waypoint 10.0.0.9:15008 for 10.0.0.1:8080 as waypoint',
    },
  ]);
});

describe('resolveOutbound (section 7) by the STRICT scopes of a service', () => {
  const strict = { mode: 'STRICT', routingPreference: ['NODE'], healthPolicy: 'ONLY_HEALTHY' } as const;
  const local = { ...ledger, loadBalancing: strict };
  cases([
    {
      title: 'takes the endpoint of the own node',
      to: '10.96.0.1:80',
      mesh: {
        services: [local],
        workloads: [onNode(ledgerPod, 'node-a'), onNode({ ...ledgerPod, uid: 'far', addresses: ['10.0.0.3'] }, 'node-b')],
      },
      gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
    },
    {
      title: 'refuses when none matches, and does not take another',
      to: '10.96.0.1:80',
      mesh: { services: [local], workloads: [onNode(ledgerPod, 'node-b')] },
      gives: 'refused no-healthy-upstream',
    },
  ]);
});
