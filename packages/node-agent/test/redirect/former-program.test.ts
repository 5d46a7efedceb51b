import { NetworkNamespace } from '@clearmesh/linux/netns';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { RuleProgram } from '../../src/redirect/choose-backend.ts';
import type { Execute } from '../../src/redirect/execute.ts';
import { findFormerPrograms, flavourOf, othersThan } from '../../src/redirect/former-program.ts';
import type { ExactProgram } from '../../src/redirect/former-program.ts';

const both = [4, 6] as const;

describe('programs that an earlier agent may have used', () => {
  for (const { own, v4, v6, others } of [
    { own: 'nft', others: { 'iptables-nft': both, 'iptables-legacy': both } },
    { own: 'iptables-nft', others: { nft: both, 'iptables-legacy': both } },
    { own: 'iptables-legacy', others: { nft: both, 'iptables-nft': both } },
    { own: 'iptables', v4: 'iptables-nft', v6: 'iptables-nft', others: { nft: both, 'iptables-legacy': both } },
    { own: 'iptables', v4: 'iptables-legacy', v6: 'iptables-legacy', others: { nft: both, 'iptables-nft': both } },
    {
      own: 'iptables',
      v4: 'iptables-nft',
      v6: 'iptables-legacy',
      others: { nft: both, 'iptables-nft': [6], 'iptables-legacy': [4] },
    },
    { own: 'iptables', v4: 'iptables-nft', others: { nft: both, 'iptables-legacy': [4] } },
    { own: 'iptables', others: { nft: both } },
  ] as readonly {
    own: RuleProgram;
    v4?: ExactProgram;
    v6?: ExactProgram;
    others: Partial<Record<ExactProgram, readonly (4 | 6)[]>>;
  }[]) {
    it(`are never the one in use: ${own}, which is ${v4 ?? 'unknown'} and ${v6 ?? 'unknown'} where it is plain`, () => {
      const found = othersThan(own, (family) => (family === 4 ? v4 : v6));
      expect(Object.fromEntries(found.map(({ program, families }) => [program, families]))).to.deep.equal(others);
    });
  }

  for (const [version, flavour] of [
    ['iptables v1.8.9 (nf_tables)', 'iptables-nft'],
    ['ip6tables v1.8.11 (legacy)', 'iptables-legacy'],
    ['iptables v1.6.2', 'iptables-legacy'],
    ['iptables v1.8.9', undefined],
    ['', undefined],
  ] as const) {
    it(`are told by ${JSON.stringify(version)}: ${flavour}`, () => {
      expect(flavourOf(version)).to.equal(flavour);
    });
  }

  describe('of a node', () => {
    let host: NetworkNamespace;
    beforeEach(() => {
      host = NetworkNamespace.current();
    });
    afterEach(() => host[Symbol.dispose]());

    it('are asked whether they work, without a word that makes a table; those that do not are told apart', async () => {
      const asked: string[] = [];
      const execute: Execute = async (_, command) => {
        asked.push(command.join(' '));
        if (command[0].includes('legacy') || command[0] === 'ip6tables-nft-save') throw new Error('not here');
        return command.includes('--version') ? `${command[0]} v1.8.9 (legacy)` : '';
      };
      const found = await findFormerPrograms('nft', host, execute, AbortSignal.timeout(5_000));
      expect(found).to.deep.equal({
        usable: [{ program: 'iptables-nft', families: [4] }],
        unusable: ['iptables-legacy'],
      });
      expect(asked.sort()).to.deep.equal([
        'ip6tables-legacy-save',
        'ip6tables-nft-save',
        'iptables-legacy-save',
        'iptables-nft-save',
      ]);
      const plain = await findFormerPrograms('iptables', host, execute, AbortSignal.timeout(5_000));
      expect(plain.usable.map(({ program }) => program)).to.deep.equal(['nft', 'iptables-nft']);
    });

    it('are not taken for missing where the agent stops', async () => {
      const reason = new Error('stopping');
      const execute: Execute = () => Promise.reject(reason);
      const found = findFormerPrograms('nft', host, execute, AbortSignal.abort(reason));
      expect(await found.catch((error: unknown) => error)).to.equal(reason);
    });
  });
});
