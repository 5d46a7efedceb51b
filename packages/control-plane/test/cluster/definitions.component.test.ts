/** The definitions of our kinds, in a real API server: what is documented is taken, what is mistyped is not. */
import { readFile, readdir } from 'node:fs/promises';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { parse } from 'yaml';
import { definitionFiles } from '../../src/define/definitions.ts';
import { rightIstioSpecs, wrongIstioSpecs } from '../fixtures/istio-specs.ts';
import { apiVersionOf, rightSpecs, wrongSpecs } from '../fixtures/specs.ts';
import { eventually } from '@clearmesh/shared/testing/ask-until';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';

const repository = new URL('../../../../', import.meta.url);

type PolicyObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
};

type Example = { readonly where: string; readonly text: string; readonly object: PolicyObject };

/** Of our kinds, as they are written: kubectl does not read YAML as we do. */
async function examples(): Promise<readonly Example[]> {
  const folder = new URL('examples/', repository);
  const files = (await readdir(folder, { recursive: true })).filter((path) => /^bank.*\.yaml$/.test(path));
  const texts = await Promise.all(
    files.map(async (path): Promise<[string, string]> => [path, await readFile(new URL(path, folder), 'utf8')]),
  );
  const documents = [...texts, ...(await documented())].flatMap(([where, text]) =>
    text.split(/^---$/m).map((part) => ({ where, text: part, object: parse(part) as PolicyObject })),
  );
  return documents.filter(({ object }) => object?.apiVersion?.startsWith('clearmesh.io/'));
}

/** Code of the page; a part that is only a spec is one of the kind that its section is named for. */
async function documented(): Promise<readonly [string, string][]> {
  const page = await readFile(new URL('docs/WAYPOINT.md', repository), 'utf8');
  return page.split(/^## /m).flatMap((section) => {
    const kind = section.split('\n')[0] ?? '';
    const blocks = Array.from(section.matchAll(/^```yaml\n(.*?)^```$/gms), ([, code = '']) => code);
    return blocks.map((code): [string, string] => ['docs/WAYPOINT.md', code.startsWith('spec:') ? whole(kind, code) : code]);
  });
}

function whole(kind: string, spec: string): string {
  return `apiVersion: clearmesh.io/v1alpha1\nkind: ${kind}\nmetadata: { name: documented, namespace: ledger }\n${spec}`;
}

async function istioDefinitions(): Promise<readonly string[]> {
  const folder = new URL('charts/base/files/istio-crds/', repository);
  const files = await readdir(folder);
  return Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')));
}

const targetRefs = [{ group: '', kind: 'Service', name: 'ledger' }];
const limit = { name: 'a', requests: 1, window: '1s' };
const drill = { targetRefs, startsAt: '2027-03-31T18:00:00Z', owner: 'a', approver: 'b' };
/** Kind, spec, and what the server says of it. */
const wrong: readonly (readonly [string, string, object, string])[] = [
  ['a mistyped field', 'ResiliencePolicy', { targetRefs, timeout: { request: '1s' } }, 'unknown field "spec.timeout"'],
  ['a field at the wrong place', 'ResiliencePolicy', { targetRefs, retry: { ttl: '1s' } }, 'unknown field "spec.retry.ttl"'],
  ['an unknown word', 'ResiliencePolicy', { targetRefs, class: 'gold' }, 'spec.class: Unsupported value: "gold"'],
  ['no target', 'ResiliencePolicy', {}, 'spec.targetRefs: Required value'],
  ['text for a number', 'ResiliencePolicy', { targetRefs, retry: { attempts: 'two' } }, 'spec.retry.attempts'],
  ['a number out of bounds', 'ResiliencePolicy', { targetRefs, retry: { attempts: 11 } }, 'should be less than or equal to 10'],
  [
    'a duration without unit',
    'ResiliencePolicy',
    { targetRefs, timeouts: { request: '10' } },
    'spec.timeouts.request: Invalid value: "10"',
  ],
  [
    'an unknown scope',
    'RateLimitPolicy',
    { targetRefs, limits: [{ ...limit, scope: 'all' }] },
    'scope: Unsupported value: "all"',
  ],
  ['a limit without window', 'RateLimitPolicy', { targetRefs, limits: [{ name: 'a', requests: 1 }] }, 'window: Required value'],
  [
    'a rule with a dot',
    'OpaPolicy',
    { targetRefs, engine: { server: { url: 'http://o' } }, path: 'a.b' },
    'spec.path: Invalid value',
  ],
  ['a drill without approver', 'FaultExperiment', { ...drill, approver: undefined }, 'spec.approver: Required value'],
  [
    'a drill that starts tomorrow',
    'FaultExperiment',
    { ...drill, startsAt: 'tomorrow' },
    'spec.startsAt: Invalid value: "tomorrow"',
  ],
];

describe('the definitions of the chart base in a real API server', function () {
  this.timeout(120_000);
  let server: ApiServer;

  before(async function () {
    // The programs may have to be built first.
    this.timeout(3_600_000);
    server = await ApiServer.start();
    for (const folder of ['crds', 'istio-crds'])
      await server.applyFile(new URL(`charts/base/files/${folder}`, repository).pathname);
    await server.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
    await server.kubectl(['create', 'namespace', 'ledger']);
  });
  after(() => server[Symbol.asyncDispose]());

  const dryRun = (text: string): Promise<string> =>
    server.kubectl(['create', '--dry-run=server', '--validate=strict', '-f', '-'], text);

  it('take every example and what is documented', async () => {
    const all = await examples();
    const kinds = new Set(all.map(({ object }) => object.kind));
    expect([...kinds].sort()).to.deep.equal([
      'BankingDomain',
      'FaultExperiment',
      'OpaPolicy',
      'RateLimitPolicy',
      'ResiliencePolicy',
    ]);
    const namespaces = new Set(all.flatMap(({ object }) => object.metadata.namespace ?? []));
    for (const name of namespaces) if (name !== 'ledger') await server.kubectl(['create', 'namespace', name]);
    for (const { where, text, object } of all) {
      const answer = await dryRun(text).catch(String);
      expect(answer, `${where}: ${answer}`).to.match(new RegExp(`/${object.metadata.name} created \\(server dry run\\)`));
    }
  });

  for (const [title, kind, spec, message] of wrong) {
    it(`refuse ${title}: ${kind}`, async () => {
      const object = { apiVersion: 'clearmesh.io/v1alpha1', kind, metadata: { name: 'wrong', namespace: 'ledger' }, spec };
      expect(await dryRun(JSON.stringify(object)).catch(String)).to.contain(message);
    });
  }

  /** A server takes up a changed definition a moment later. */
  const patience = { limitMs: 20_000, pauseMs: 100 };

  const answerTo = (kind: string, spec: object): Promise<string> => {
    const metadata = kind === 'BankingDomain' ? { name: 'tried' } : { name: 'tried', namespace: 'ledger' };
    return dryRun(JSON.stringify({ apiVersion: apiVersionOf(kind), kind, metadata, spec })).catch(String);
  };

  it('refuse what our reader refuses, and say why, by every rule that they have', async () => {
    const answers: string[] = [];
    const others: string[] = [];
    for (const [title, kind, spec, message] of [...wrongSpecs, ...wrongIstioSpecs]) {
      const answer = await answerTo(kind, spec);
      if (!answer.includes(message)) others.push(`${title}: ${answer}`);
      answers.push(answer);
    }
    expect(others.join('\n')).to.equal('');
    const messages = [...definitionFiles().values(), ...(await istioDefinitions())].flatMap((text) =>
      Array.from(text.matchAll(/^ +message: (.+)$/gm), ([, message = '']) => parse(message) as string),
    );
    expect(messages.length).to.be.greaterThan(40);
    expect(messages.filter((message) => !answers.some((answer) => answer.includes(message)))).to.deep.equal([]);
  });

  it('take what our reader takes', async () => {
    for (const [title, kind, spec] of [...rightSpecs, ...rightIstioSpecs])
      expect(await answerTo(kind, spec), title).to.contain('/tried created (server dry run)');
  });

  it('let statuses be written of what was stored before there was a rule', async () => {
    const [text = ''] = [...definitionFiles()].flatMap(([file, found]) => (file.includes('ratelimit') ? [found] : []));
    const metadata = { name: 'old', namespace: 'ledger' };
    const limits = [{ name: 'a', requests: 1, window: '0s' }];
    const old = { apiVersion: 'clearmesh.io/v1alpha1', kind: 'RateLimitPolicy', metadata, spec: { targetRefs, limits } };
    const isTaken = async (): Promise<boolean> => (await answerTo(old.kind, old.spec)).includes('created');
    await server.apply(
      JSON.stringify(parse(text), (name, value: unknown) => (name.endsWith('-validations') ? undefined : value)),
    );
    await eventually('the looser definition is served', isTaken, patience);
    await server.apply(JSON.stringify(old));
    await server.apply(text);
    await eventually('the definition is served again', async () => !(await isTaken()), patience);
    const said = {
      type: 'Accepted',
      status: 'False',
      reason: 'Invalid',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const patch = JSON.stringify({ status: { conditions: [said] } });
    const args = ['patch', 'ratelimitpolicy', 'old', '-n', 'ledger', '--subresource=status', '--type=merge', '-p', patch];
    expect(await server.kubectl(args)).to.contain('patched');
    expect(await isTaken()).to.equal(false);
    await server.kubectl(['delete', 'ratelimitpolicy', 'old', '-n', 'ledger']);
  });

  it('explain every field', async () => {
    const told = await server.kubectl(['explain', 'ratelimitpolicy.spec.limits.key']);
    expect(told).to.contain('What is counted apart. Nothing written: all requests together.');
    expect(told).to.contain('Of the header, for type header.');
  });

  it('keep what two writers say, and show it in a table', async () => {
    const metadata = { name: 'calls', namespace: 'ledger' };
    const head = { apiVersion: 'clearmesh.io/v1alpha1', kind: 'ResiliencePolicy', metadata };
    await server.apply(JSON.stringify({ ...head, spec: { targetRefs, class: 'money-movement' } }));
    for (const type of ['Accepted', 'Audited']) {
      const said = { type, status: 'True', reason: 'Fine', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' };
      const status = ['apply', '--server-side', `--field-manager=${type}`, '--subresource=status', '-f', '-'];
      await server.kubectl(status, JSON.stringify({ ...head, status: { conditions: [said] } }));
    }
    const types = await server.kubectl(['get', 'cmres/calls', '-n', 'ledger', '-o', 'jsonpath={.status.conditions[*].type}']);
    expect(types).to.equal('Accepted Audited');
    const table = await server.kubectl(['get', 'clearmesh', '-n', 'ledger']);
    expect(table).to.match(/^NAME +TARGET +CLASS +ACCEPTED +AGE\n\S*calls +ledger +money-movement +True +\S+\n$/);
  });
});
