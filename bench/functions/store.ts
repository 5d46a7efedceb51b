/**
 * What the mesh is asked of, and how a change comes in: 5,000 workloads behind 500 services.
 * The naive ways: look at all of them; copy what there is, and change the copy.
 */
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { chooseEndpoint } from '@clearmesh/shared/resolve/endpoint';
import { ip, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { addressPush, storeOf } from '@clearmesh/shared/testing/pushes';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import type { FunctionCase } from './function-case.ts';

const serviceCount = 500;
const endpointsEach = 10;

export function storeCases(): readonly FunctionCase[] {
  const services = Array.from({ length: serviceCount }, (_, index) =>
    service({ name: `service-${index}`, addresses: [`10.96.${index >> 8}.${index & 255}`] }),
  );
  const workloads = services.flatMap((each, index) => endpointsOf(each, index));
  return [vipCase(services, workloads), endpointCase(services, workloads), pushCase(services, workloads)];
}

function endpointsOf({ key }: Service, index: number): readonly Workload[] {
  return Array.from({ length: endpointsEach }, (_, endpoint) =>
    workload({
      name: `service-${index}-${endpoint}`,
      addresses: [`10.${endpoint}.${index >> 8}.${index & 255}`],
      services: { [key]: { 80: 8080 } },
    }),
  );
}

function vipCase(services: readonly Service[], workloads: readonly Workload[]): FunctionCase {
  const { current } = storeOf({ services, workloads });
  const vip = ip('10.96.1.200');
  const ours = (): unknown => current.servicesByVip('', vip)[0];
  const all = [...current.services];
  const naive = (): unknown => all.find(({ addresses }) => addresses.some((each) => each.ip === vip));
  return {
    name: 'vip',
    title: 'store: service of a VIP, ns',
    ours,
    naive,
    agree: () => ours() !== undefined && ours() === naive(),
  };
}

function endpointCase(services: readonly Service[], workloads: readonly Workload[]): FunctionCase {
  const { current } = storeOf({ services, workloads });
  const random = new FakeRandom();
  const source = workload({ addresses: ['10.200.0.1'] });
  const wanted = services[300] as Service;
  const requested = socketAddress('10.96.1.44:80');
  const ours = (): string | undefined => chooseEndpoint(current, source, wanted, requested, 'standard', random)?.workload.uid;
  const all = [...current.workloads];
  const naive = (): string | undefined => {
    const eligible = all.filter(({ services: its, status }) => its.has(wanted.key) && status === 'HEALTHY');
    return eligible[Math.floor(random.unit() * eligible.length)]?.uid;
  };
  const agree = (): boolean => ours()?.startsWith('Kubernetes//Pod/bank/service-300-') === true && ours() === naive();
  return { name: 'endpoint', title: 'endpoint: one of ten of a service, ns', ours, naive, agree };
}

/** One workload changes: as a push comes, and as the naive store takes it. */
function pushCase(services: readonly Service[], workloads: readonly Workload[]): FunctionCase {
  const store = storeOf({ services, workloads });
  const changing = workloads[2_500] as Workload;
  const push = addressPush({ workloads: [changing] });
  const ours = (): unknown => store.apply(push);
  let byUid = new Map(workloads.map((each) => [each.uid, each]));
  let byIp = new Map(workloads.flatMap((each) => each.addresses.map((address) => [address, each])));
  const naive = (): unknown => {
    byUid = new Map(byUid).set(changing.uid, changing);
    byIp = new Map(byIp);
    for (const address of changing.addresses) byIp.set(address, changing);
    return byUid;
  };
  const agree = (): boolean => {
    ours();
    naive();
    const [address] = changing.addresses;
    return address !== undefined && store.current.workloadByIp('', address)?.uid === byIp.get(address)?.uid;
  };
  return { name: 'push', title: 'store: a push of one of 5 000 workloads, ns', ours, naive, agree };
}
