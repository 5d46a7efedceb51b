import { expect } from 'chai';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { TokenFiles } from '../../src/up/token-files.ts';
import { tokenLifetimeSeconds } from '../../src/up/tokens.ts';
import type { TokenAccount, TokenClaims } from '../../src/up/tokens.ts';

const account = (uid: string): TokenAccount => ({
  namespace: 'ledger',
  serviceAccount: 'ledger-waypoint',
  pod: { name: 'ledger-waypoint-0', uid },
  node: 'node-a',
});

describe('TokenFiles', () => {
  let directory: string;
  let clock: FakeClock;
  let tokens: TokenFiles;
  let signed: number;
  let released: () => void;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clearmesh-tokens-'));
    clock = new FakeClock();
    signed = 0;
    released = () => {};
    const sign = (claims: TokenClaims): Promise<string> => {
      signed++;
      released();
      return Promise.resolve(`${claims['kubernetes.io'].pod.uid} until ${claims.exp}`);
    };
    tokens = new TokenFiles({ key: { sign }, clock, logger: silentLogger });
  });
  afterEach(async () => {
    tokens[Symbol.dispose]();
    await rm(directory, { recursive: true });
  });

  const path = (): string => join(directory, 'token');
  /** Resolves when the next token is signed. */
  const nextSigning = (): Promise<void> => new Promise((resolve) => (released = resolve));

  it('writes a token that only its owner may read', async () => {
    await tokens.add(path(), account('u-1'));
    expect(await readFile(path(), 'utf8')).to.match(/^u-1 until \d+$/);
    expect((await stat(path())).mode & 0o777).to.equal(0o600);
    expect(await readdir(directory)).to.deep.equal(['token']);
  });

  it('renews at half of the life', async () => {
    await tokens.add(path(), account('u-1'));
    const next = nextSigning();
    clock.advance((tokenLifetimeSeconds * 1000) / 2 - 1);
    expect(signed).to.equal(1);
    clock.advance(1);
    await next;
    expect(signed).to.equal(2);
  });

  it('speaks for the newest account of a path, and renews that one only', async () => {
    await tokens.add(path(), account('u-1'));
    await tokens.add(path(), account('u-2'));
    expect(await readFile(path(), 'utf8')).to.match(/^u-2 /);
    expect([tokens.size, clock.pendingTimers]).to.deep.equal([1, 1]);
  });

  it('deletes a file that is removed, and has nothing left to do', async () => {
    await tokens.add(path(), account('u-1'));
    await tokens.remove(path());
    expect([await readdir(directory), tokens.size, clock.pendingTimers]).to.deep.equal([[], 0, 0]);
    await tokens.remove(path());
  });

  it('leaves no file when the removal comes while the token is made', async () => {
    const adding = tokens.add(path(), account('u-1'));
    await Promise.all([adding, tokens.remove(path())]);
    expect([await readdir(directory), clock.pendingTimers]).to.deep.equal([[], 0]);
  });
});
