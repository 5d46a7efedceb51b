import { hash } from 'node:crypto';
import { cp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { readBundleFiles } from '../../src/authorise/opa-bundle-files.ts';
import { OpaWasmEngine } from '../../src/authorise/opa-wasm.ts';
import type { OpaWasmOptions } from '../../src/authorise/opa-wasm.ts';
import type { TarFile } from '../../src/authorise/tar.ts';
import { installOpa } from '@clearmesh/shared/testing/install-opa';
import { buildBundle, buildIn, temporaryDirectory } from './opa-binary.ts';
import type { PolicyFiles } from './opa-binary.ts';
import { describeEngine, inputOf } from './opa-engine-compliance.ts';
import { unaborted } from './requests.ts';

const fourEyes = join(import.meta.dirname, '../../../../examples/policies/bundles/four-eyes');
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };

before(async function () {
  this.timeout(300_000);
  await installOpa();
});

type Opened = { readonly engine: OpaWasmEngine; readonly bundle: string } & AsyncDisposable;

async function open(files: PolicyFiles, path: string, options: Partial<OpaWasmOptions> = {}): Promise<Opened> {
  const directory = await temporaryDirectory();
  const bundle = join(directory.path, 'bundle.tar.gz');
  await buildBundle(files, path, bundle);
  const engine = new OpaWasmEngine({ bundle, path, timeoutMs: 5_000, watchdogMs: 1_000, ...options }, deps);
  await engine.started;
  return {
    engine,
    bundle,
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function rego(body: string): PolicyFiles {
  return { 'p.rego': `package a\n${body}` };
}

/** Resolves once another bundle answers. */
function activation(engine: OpaWasmEngine): Promise<void> {
  return new Promise((resolve) => {
    const stop = engine.onActivation(() => {
      stop();
      resolve();
    });
  });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describeEngine('a WASM bundle', open);

describe('a WASM bundle that does not decide', () => {
  /** Counts far beyond what a watchdog allows, unless it is told not to. */
  const loop = rego(`allow if input.ok
allow if {
  not input.ok
  xs := numbers.range(1, 3000)
  count([1 | some i in xs; some j in xs; some k in xs; i == j; j == k; k < 0]) == input.n
}`);

  it('is stopped, and a fresh thread answers the next question', async () => {
    await using opened = await open(loop, 'a/allow', { watchdogMs: 250 });
    expect(await opened.engine.evaluate('{"n":1}', unaborted)).to.deep.equal({
      kind: 'unavailable',
      reason: 'the rule did not end within 250 ms, and was stopped',
    });
    expect(await opened.engine.evaluate('{"ok":true}', unaborted)).to.deep.include({ kind: 'result', value: true });
  });

  it('does not take the questions behind it along', async () => {
    await using opened = await open(loop, 'a/allow', { watchdogMs: 250 });
    const asked = ['{"n":1}', '{"ok":true}', '{"ok":true}'].map((input) => opened.engine.evaluate(input, unaborted));
    expect((await Promise.all(asked)).map(({ kind }) => kind)).to.deep.equal(['unavailable', 'result', 'result']);
  });

  it('answers within its time while no thread does', async () => {
    await using opened = await open(loop, 'a/allow', { watchdogMs: 2_000, timeoutMs: 100 });
    expect(await opened.engine.evaluate('{"n":1}', unaborted)).to.deep.equal({
      kind: 'unavailable',
      reason: 'no decision within 100 ms',
    });
  });

  it('says that a rule failed, and goes on', async () => {
    await using opened = await open(rego('allow := 1 if input.x == 1\nallow := 2 if input.y == 2'), 'a/allow');
    const evaluation = await opened.engine.evaluate('{"x":1,"y":2}', unaborted);
    expect(evaluation.kind === 'unavailable' && evaluation.reason).to.match(/^the rule failed: /);
    expect(await opened.engine.evaluate('{"x":1}', unaborted)).to.deep.include({ kind: 'result', value: 1 });
  });

  it('is rejected with the names of the builtins it lacks', async () => {
    await using opened = await open(
      rego('allow if http.send({"method": "get", "url": "http://localhost"}).status_code == 200\nallow if opa.runtime().x'),
      'a/allow',
    );
    expect(await opened.engine.evaluate('{}', unaborted)).to.have.property('kind', 'unavailable');
    expect(opened.engine.rejection).to.match(/it needs builtins that WASM rules do not have here: http\.send, opa\.runtime/);
  });

  it('is rejected for another entrypoint than the one asked', async () => {
    await using directory = await temporaryDirectory();
    const bundle = join(directory.path, 'b.tar.gz');
    await buildBundle(rego('allow := true'), 'a/allow', bundle);
    await using engine = new OpaWasmEngine({ bundle, path: 'a/deny' }, deps);
    await engine.started;
    expect(engine.rejection).to.equal('it has no entrypoint a/deny, but a/allow; name it with opa build -e');
  });

  it('is rejected when it is no bundle', async () => {
    await using directory = await temporaryDirectory();
    const bundle = join(directory.path, 'b.tar.gz');
    await writeFile(bundle, 'no archive');
    await using engine = new OpaWasmEngine({ bundle, path: 'a/allow' }, deps);
    expect(await engine.evaluate('{}', unaborted)).to.have.property('kind', 'unavailable');
  });
});

describe('a WASM bundle that changes', () => {
  it('is read through the links of a mounted ConfigMap', async () => {
    await using directory = await temporaryDirectory();
    const mount = async (version: string, limit: number): Promise<void> => {
      await cp(fourEyes, join(directory.path, `..${version}`), { recursive: true });
      await writeFile(join(directory.path, `..${version}`, 'data.json'), JSON.stringify({ four_eyes: { limit } }));
      await symlink(`..${version}`, join(directory.path, '..data_tmp'));
      await rename(join(directory.path, '..data_tmp'), join(directory.path, '..data'));
    };
    await mount('1', 1_000);
    for (const name of ['policy.wasm', 'data.json', '.manifest']) {
      await symlink(join('..data', name), join(directory.path, name));
    }
    await using engine = new OpaWasmEngine({ bundle: directory.path, path: 'envoy/authz/allow' }, deps);
    await engine.started;
    expect(engine.rejection).to.equal(undefined);
    const activated = activation(engine);
    await mount('2', 2_000);
    await activated;
  });

  it('answers by the new one within a second', async () => {
    await using opened = await open(rego('allow := "old"'), 'a/allow');
    const activated = activation(opened.engine);
    const startedMs = performance.now();
    await buildBundle(rego('allow := "new"'), 'a/allow', opened.bundle);
    await activated;
    expect(performance.now() - startedMs).to.be.below(5_000);
    expect(await opened.engine.evaluate('{}', unaborted)).to.deep.include({ value: 'new' });
  });

  it('keeps the last good one while the new one is rejected', async () => {
    await using opened = await open(rego('allow := "good"'), 'a/allow');
    const { revision } = opened.engine;
    await writeFile(opened.bundle, 'half a fi');
    await until(() => opened.engine.rejection !== undefined);
    expect(await opened.engine.evaluate('{}', unaborted)).to.deep.include({ value: 'good', revision });
    await rm(opened.bundle);
    await until(() => opened.engine.rejection?.includes('ENOENT') === true);
    expect(await opened.engine.evaluate('{}', unaborted)).to.deep.include({ value: 'good', revision });
  });

  it('answers every question while it changes', async () => {
    await using opened = await open(rego('allow := "old"'), 'a/allow', { threads: 2 });
    await buildBundle(rego('allow := "new"'), 'a/allow', opened.bundle);
    const values = new Set<unknown>();
    while (!values.has('new')) {
      const evaluation = await opened.engine.evaluate('{}', unaborted);
      expect(evaluation.kind).to.equal('result');
      if (evaluation.kind === 'result') values.add(evaluation.value);
    }
    expect([...values]).to.deep.equal(['old', 'new']);
  });
});

describe('the four-eyes bundle of the examples', () => {
  const path = 'envoy/authz/allow';
  const booking = (amount: string, headers: Readonly<Record<string, string>> = {}): string =>
    inputOf(
      { method: 'POST', path: '/entries', query: '', headers: { 'content-type': 'application/json', ...headers } },
      JSON.stringify({ iban: 'DE89370400440532013000', amount }),
    );

  it('asks for a second approver above the limit, and takes a new limit from data.json', async () => {
    await using directory = await temporaryDirectory();
    await cp(fourEyes, directory.path, { recursive: true });
    await using engine = new OpaWasmEngine({ bundle: directory.path, path, timeoutMs: 5_000, watchdogMs: 1_000 }, deps);
    const allowed = async (input: string): Promise<unknown> => {
      const evaluation = await engine.evaluate(input, unaborted);
      return evaluation.kind === 'result' && (evaluation.value as { readonly allowed: unknown }).allowed;
    };
    expect(await allowed(booking('1000'))).to.equal(true);
    expect(await allowed(booking('1500'))).to.equal(false);
    expect(await allowed(booking('1500', { 'x-approved-by': 'alice' }))).to.equal(true);
    const activated = activation(engine);
    const data = await readFile(join(directory.path, 'data.json'), 'utf8');
    await writeFile(join(directory.path, 'data.json'), data.replace('1000', '2000'));
    await activated;
    expect(await allowed(booking('1500'))).to.equal(true);
    expect(await allowed(booking('2500'))).to.equal(false);
  });

  it('is built from the rules beside it', async () => {
    await using built = await temporaryDirectory();
    const bundle = join(built.path, 'b.tar.gz');
    const options = ['--ignore', '*_test.rego', '--revision', '1'];
    await buildIn(join(fourEyes, '../..'), [...options, '-e', path, '-o', bundle, 'four-eyes']);
    const [fresh, committed] = await Promise.all([bundle, fourEyes].map((place) => readBundleFiles(place)));
    const moduleOf = (files: readonly TarFile[] | undefined): string | undefined => {
      const module = files?.find(({ name }) => name.endsWith('policy.wasm'));
      return module && hash('sha256', module.bytes);
    };
    expect(moduleOf(committed)).to.equal(moduleOf(fresh));
    const data = await Promise.all(
      ['four-eyes', 'bundles/four-eyes'].map((folder) => readFile(join(fourEyes, '../..', folder, 'data.json'), 'utf8')),
    );
    expect(data[1]).to.equal(data[0]);
  });
});

describe('the threads of a WASM bundle', () => {
  it('are gone after the engine was closed, whatever was asked', async () => {
    const { engine, ...opened } = await open(rego('allow := true'), 'a/allow', { threads: 4 });
    const asked = Array.from({ length: 20 }, () => engine.evaluate('{}', unaborted));
    await opened[Symbol.asyncDispose]();
    expect((await Promise.all(asked)).every(({ kind }) => kind === 'result')).to.equal(true);
    expect(process.getActiveResourcesInfo().filter((name) => /Worker|MessagePort/.test(name))).to.deep.equal([]);
  });
});
