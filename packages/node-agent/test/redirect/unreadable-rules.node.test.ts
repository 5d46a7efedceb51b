import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { createLogger } from '@clearmesh/shared/observe/log';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { executor } from '../../src/redirect/execute.ts';
import { runInNamespace } from '../../src/redirect/namespace-command.ts';
import { Redirector } from '../../src/redirect/redirector.ts';
import { unreadableRules } from '../../src/redirect/unreadable-rules.ts';
import { backends } from './backends.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5000);

describe('rules of a program that does not work here', () => {
  let bed: NamespaceBed;
  beforeEach(() => {
    bed = new NamespaceBed();
  });
  afterEach(() => bed[Symbol.dispose]());

  for (const { name, backend } of backends.filter((each) => each.name !== 'nft')) {
    it(`are told of once where they are by ${name}, and not where there are none`, async () => {
      const lines: string[] = [];
      const logger = createLogger('rules', { write: (line) => lines.push(line) });
      const programs = { usable: [{ program: 'nft', families: [4, 6] }], unusable: ['iptables-nft', 'iptables-legacy'] } as const;
      const look = unreadableRules(programs, { execute: executor(runInNamespace), logger });
      const byNft = bed.add('by-nft');
      await new Redirector({ run: runInNamespace }).install(byNft, {}, soon());
      for (const namespace of [bed.add('empty'), byNft]) await look(namespace, soon());
      expect(lines).to.deep.equal([]);
      const pod = bed.add('pod');
      await new Redirector({ run: runInNamespace, backend }).install(pod, {}, soon());
      await look(pod, soon());
      await look(pod, soon());
      expect(lines).to.have.length(1);
      expect(lines[0]).to.include('may be left in pods').and.include(name);
    });
  }
});
