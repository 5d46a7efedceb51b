import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import { replacingFormer } from '../../src/redirect/former-rules.ts';
import type { RuleBackend, RuleTask } from '../../src/redirect/rule-backend.ts';

const signal = new AbortController().signal;

/** Rules of one program, in one namespace; says what is done to them. */
class Rules implements RuleBackend {
  readonly name: string;
  readonly #said: string[];
  stands = false;
  isBroken = false;

  constructor(name: string, said: string[]) {
    this.name = name;
    this.#said = said;
  }

  async install(): Promise<void> {
    this.#say('install');
    this.stands = true;
  }
  async remove({ families }: RuleTask): Promise<void> {
    this.#say(`remove ${families.join('+')}`);
    this.stands = false;
  }
  async isThere(): Promise<boolean> {
    this.#say('look');
    return this.stands;
  }
  async inspect(): ReturnType<RuleBackend['inspect']> {
    this.#say('inspect');
    return { deviations: this.stands ? [] : ['all'], captures: this.stands };
  }

  #say(what: string): void {
    this.#said.push(`${this.name}: ${what}`);
    if (this.isBroken) throw new Error('busy');
  }
}

describe('rules of an earlier agent by another program', () => {
  const task: RuleTask = { namespace: {} as NetworkNamespace, families: [4, 6] };
  let said: string[];
  let own: Rules;
  let old: Rules;
  let rules: RuleBackend;
  beforeEach(() => {
    said = [];
    own = new Rules('own', said);
    old = new Rules('old', said);
    rules = replacingFormer(own, [{ backend: old, families: [4] }]);
  });

  it('are seen, count as capture, and go once the new ones stand (F1)', async () => {
    old.stands = true;
    const { deviations, captures } = await rules.inspect(task, {}, signal);
    expect(deviations).to.deep.equal(['rules by old of an earlier agent', 'all']);
    expect(captures).to.equal(true);
    expect(await rules.isThere(task, signal)).to.equal(true);
    said.length = 0;
    await rules.install(task, {}, 'closed', signal);
    expect(said).to.deep.equal(['own: install', 'old: remove 4']);
    expect(await rules.inspect(task, {}, signal)).to.deep.equal({ deviations: [], captures: true });
  });

  it('are found where nobody has looked before the installation', async () => {
    old.stands = true;
    await rules.install(task, {}, 'open', signal);
    expect(said).to.deep.equal(['old: look', 'own: install', 'old: remove 4']);
  });

  it('are looked for once, however often a pod is verified, and anew at its release (F2)', async () => {
    await rules.install(task, {}, 'closed', signal);
    for (let round = 0; round < 3; round++) await rules.inspect(task, {}, signal);
    expect(said.filter((what) => what.startsWith('old'))).to.deep.equal(['old: look']);
    old.stands = true;
    await rules.remove(task, signal);
    expect(said.slice(-3)).to.deep.equal(['own: remove 4+6', 'old: look', 'old: remove 4']);
  });

  it('are looked for in each namespace by itself, and whoever cares is told', async () => {
    const looked: NetworkNamespace[] = [];
    const told = replacingFormer(own, [{ backend: old, families: [4] }], async (namespace) => void looked.push(namespace));
    const other: RuleTask = { ...task, namespace: {} as NetworkNamespace };
    for (const each of [task, other, task]) await told.inspect(each, {}, signal);
    expect(looked).to.deep.equal([task.namespace, other.namespace]);
  });

  it('are not taken for gone where looking or removing fails (F3)', async () => {
    old.stands = true;
    old.isBroken = true;
    const fails = (done: Promise<unknown>): Promise<boolean> =>
      done.then(
        () => false,
        () => true,
      );
    expect(await fails(rules.inspect(task, {}, signal))).to.equal(true);
    old.isBroken = false;
    await rules.inspect(task, {}, signal);
    old.isBroken = true;
    expect(await fails(rules.install(task, {}, 'closed', signal))).to.equal(true);
    old.isBroken = false;
    expect((await rules.inspect(task, {}, signal)).deviations).to.deep.equal(['rules by old of an earlier agent']);
    await rules.install(task, {}, 'closed', signal);
    expect(old.stands).to.equal(false);
  });
});
