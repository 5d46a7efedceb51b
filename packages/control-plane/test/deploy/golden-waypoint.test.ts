/**
 * What is made for recorded Gateways, and said of them, against what a real istiod made and said
 * (test/golden/data/waypoint-deployment). What differs does so on purpose, and stands in a table.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parse, parseAllDocuments } from 'yaml';
import { isDeployed } from '../../src/deploy/gateway-pods.ts';
import { keyOf } from '../../src/deploy/kubernetes-object.ts';
import { waypointObjects } from '../../src/deploy/waypoint-objects.ts';
import { derive } from '../../src/derive/derive.ts';
import { objectName } from '../../src/manifest/collections.ts';
import { reportStatus } from '../../src/report/report.ts';
import { waypointOptions } from '../fixtures/waypoint-options.ts';
import { read, stepsOf, upstream } from '../golden/scenario.ts';
import type { KubernetesObject } from '../../src/deploy/kubernetes-object.ts';
import type { OverlayMap } from '../../src/deploy/waypoint-options.ts';
import type { ObjectStatus } from '../../src/report/status-report.ts';

type Fields = Readonly<Record<string, unknown>>;
type Recorded<T> = { readonly step: number; readonly objects: Readonly<Record<string, T>> };

const scenario = 'waypoint-deployment';
const created = read(scenario, 'created-expected.json') as readonly Recorded<Fields>[];
const said = read(scenario, 'status-expected.json') as readonly Recorded<ObjectStatus>[];
const steps = stepsOf(scenario);

/** Kinds of objects, or objects: fields in which ours differ. */
const differences: readonly { readonly of: RegExp; readonly fields: readonly string[]; readonly why: string }[] = [
  { of: /^/, fields: ['managed'], why: 'our own label says whose an object is, so that Istio and we leave each other’s alone' },
  { of: /^Deployment /, fields: ['podAnnotations'], why: 'no istio.io/rev, which our pods have no use for' },
  { of: /^Deployment /, fields: ['containerPorts'], why: 'no Envoy, so no port 15090; the tunnel port is named' },
  { of: /^Service .*odd-listener/, fields: ['ports'], why: 'no port of a listener that no waypoint serves' },
  { of: /^Service /, fields: ['internalTrafficPolicy'], why: 'a default that the API server fills in' },
  { of: /^Deployment /, fields: ['replicas'], why: 'a default that the API server fills in' },
];
/** Objects that only one side makes. */
const notMadeHere: Readonly<Record<string, string>> = {
  'Deployment pay-wp-make/chosen': 'annotation name-override: node proxies find a waypoint by its Gateway’s name',
  'Service pay-wp-make/chosen': 'the same',
  'ServiceAccount pay-wp-make/chosen-sa': 'annotation service-account: a Gateway’s author must not choose the identity',
};
const removedHere: Readonly<Record<string, string>> = {
  'PodDisruptionBudget pay-wp-make/overlaid': 'what no overlay asks for any more goes; upstream leaves it',
};
const madeHereOnly: Readonly<Record<string, string>> = {
  'ServiceAccount pay-wp-make/named': 'in place of chosen-sa',
  'Deployment pay-wp-make/named': 'in place of chosen',
  'Service pay-wp-make/named': 'in place of chosen',
};
/** `Gateway: condition`, as upstream has it, and why ours says something else. */
const saidDifferently: Readonly<Record<string, string>> = {
  'named: Programmed False AddressNotAssigned': 'its Service has the name of the Gateway, and was not recorded',
  'odd-listener/web: Programmed True Programmed': 'nothing is programmed for a listener that is not accepted',
};

describe('golden waypoints', () => {
  created.forEach(({ step, objects }, index) => {
    it(`are made of the objects that upstream makes: step ${step}`, () => {
      const made = madeIn(index);
      const expected = new Set(Object.keys(objects));
      expect([...made.keys()].filter((key) => !expected.has(key)).sort()).to.deep.equal(Object.keys(madeHereOnly).sort());
      expect([...expected].filter((key) => !made.has(key) && !isOccupied(key)).sort()).to.deep.equal(
        Object.keys(index === 0 ? notMadeHere : { ...notMadeHere, ...removedHere }).sort(),
      );
      for (const [key, object] of made) {
        if (key in madeHereOnly || isOccupied(key)) continue;
        expect(without(key, fieldsOf(object)), key).to.deep.equal(without(key, normal(objects[key] ?? {})));
      }
    });
  });

  it('differ from upstream in every field that the table names', () => {
    const made = madeIn(0);
    for (const { of, fields } of differences) {
      const differing = [...made].filter(([key]) => of.test(key) && key in (created[0]?.objects ?? {}));
      for (const field of fields) {
        const found = differing.some(
          ([key, object]) =>
            JSON.stringify(fieldsOf(object)[field]) !== JSON.stringify(normal(created[0]?.objects[key] ?? {})[field]),
        );
        expect(found, `${of} ${field}`).to.equal(true);
      }
    }
  });

  said.forEach(({ step, objects }, index) => {
    it(`are said to be what upstream says: step ${step}`, () => {
      const { collections } = steps[index]!;
      const facts = {
        configured: { collections, model: derive(collections, upstream, 0), nowMs: 0 },
        refusals: new Map(),
        problems: [],
        invalidParameters: invalidIn(index),
      };
      const ours = reportStatus(facts, upstream).objects;
      const differing = new Set<string>();
      for (const gateway of collections.gateways) {
        const { name, labels } = gateway.metadata;
        if (labels?.['istio.io/rev'] === 'canary') {
          expect(ours, 'of another revision').not.to.have.property(`Gateway pay-wp-make/${name}`);
          continue;
        }
        const mine = told(name, ours[`Gateway pay-wp-make/${name}`]);
        const theirs = told(name, objects[`Gateway pay-wp-make/${name}`]);
        for (const line of theirs) if (!mine.includes(line)) differing.add(line);
        expect(mine, name).to.have.length(theirs.length);
      }
      expect([...differing].sort()).to.deep.equal(Object.keys(saidDifferently).sort());
    });
  });

  it('have the addresses of the Service, then its name, once a pod is ready', () => {
    const gate = said[2]?.objects['Gateway pay-wp-make/gate'];
    expect(gate?.addresses).to.have.length(3);
    const { collections } = steps[2]!;
    const configured = { collections, model: derive(collections, upstream, 0), nowMs: 0 };
    const { objects } = reportStatus({ configured, refusals: new Map(), problems: [] }, upstream);
    expect(objects['Gateway pay-wp-make/gate']?.addresses).to.deep.equal(gate?.addresses);
  });
});

function resultsIn(index: number): ReadonlyMap<string, ReturnType<typeof waypointObjects>> {
  const around = { options: waypointOptions, rootNamespace: 'istio-system', overlays: overlaysIn(index) };
  const gateways = steps[index]!.collections.gateways.filter((gateway) => isDeployed(gateway, 'default'));
  return new Map(
    gateways.map((gateway) => {
      const { name } = gateway.metadata;
      // The recording leaves uids out.
      return [
        objectName(gateway.metadata),
        waypointObjects({ ...gateway, metadata: { ...gateway.metadata, uid: `uid-${name}` } }, around),
      ];
    }),
  );
}

function madeIn(index: number): ReadonlyMap<string, KubernetesObject> {
  const objects = [...resultsIn(index).values()].flatMap((result) => (result.kind === 'objects' ? result.objects : []));
  return new Map(objects.filter((object) => !isOccupied(keyOf(object))).map((object) => [keyOf(object), object]));
}

function invalidIn(index: number): ReadonlyMap<string, string> {
  return new Map(
    [...resultsIn(index)].flatMap(([name, result]) => (result.kind === 'invalid' ? [[name, result.message] as const] : [])),
  );
}

/** Its Service and ServiceAccount are somebody else's there; who is left alone is told in the deployer's own tests. */
function isOccupied(key: string): boolean {
  return key.endsWith('/occupied');
}

/** ConfigMaps of the recorded input; step 2 changes one. */
function overlaysIn(index: number): ReadonlyMap<string, OverlayMap> {
  const text = readFileSync(new URL('../golden/data/waypoint-deployment/input.yaml', import.meta.url), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as OverlayMap & { readonly kind: string });
  const maps = objects.filter(({ kind }) => kind === 'ConfigMap');
  const changed = {
    deployment: 'spec: { replicas: 4 }',
    horizontalPodAutoscaler: 'spec: { minReplicas: 3, maxReplicas: 6 }',
  };
  return new Map(maps.map((map) => [objectName(map.metadata), index === 0 ? map : { ...map, data: changed }]));
}

/** The fields that were recorded, of ours. */
function fieldsOf({ kind, metadata, spec = {} }: KubernetesObject): Fields {
  const { labels = {}, annotations, ownerReferences = [] } = metadata;
  const { 'gateway.clearmesh.io/managed': managed, ...others } = labels;
  const common = {
    managed,
    labels: others,
    annotations,
    owner: ownerReferences.map((owner) => `${owner.kind}/${owner.name}`),
  };
  if (kind !== 'Deployment') return { ...common, ...spec };
  const { template, ...rest } = parse(JSON.stringify(spec)) as {
    replicas?: number;
    selector: unknown;
    template: {
      metadata: { labels: Record<string, string>; annotations: unknown };
      spec: { serviceAccountName: string; containers: [Record<string, unknown>] };
    };
  };
  const [container] = template.spec.containers;
  const { 'gateway.clearmesh.io/managed': _mark, 'networking.istio.io/tunnel': _tunnel, ...podLabels } = template.metadata.labels;
  return {
    ...common,
    ...(rest.replicas === undefined ? {} : { replicas: rest.replicas }),
    selector: rest.selector,
    podLabels,
    podAnnotations: template.metadata.annotations,
    serviceAccountName: template.spec.serviceAccountName,
    containerName: container['name'],
    containerPorts: container['ports'],
    readiness: container['readinessProbe'],
    startup: container['startupProbe'],
    resources: container['resources'],
    securityContext: container['securityContext'],
  };
}

/** As {@link fieldsOf} has them. */
function normal(fields: Fields): Fields {
  const moved = (labels: unknown): unknown => {
    const { 'gateway.istio.io/managed': _managed, ...rest } = labels as Readonly<Record<string, string>>;
    return rest;
  };
  const { labels, podLabels } = fields;
  return {
    ...fields,
    managed: (labels as Readonly<Record<string, string>>)['gateway.istio.io/managed'],
    labels: moved(labels),
    ...(podLabels === undefined ? {} : { podLabels: moved(podLabels) }),
  };
}

function without(key: string, fields: Fields): Fields {
  const left = new Set(differences.filter(({ of }) => of.test(key)).flatMap((each) => each.fields));
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => !left.has(name) && value !== undefined));
}

function told(name: string, status: ObjectStatus | undefined): readonly string[] {
  return [
    ...(status?.conditions ?? []).map(({ type, status: truth, reason }) => `${name}: ${type} ${truth} ${reason}`),
    ...(status?.listeners ?? []).flatMap((listener) =>
      listener.conditions.map(({ type, status: truth, reason }) => `${name}/${listener.name}: ${type} ${truth} ${reason}`),
    ),
  ];
}
