import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { CommandResult } from '../../src/redirect/namespace-command.ts';
import { Redirector } from '../../src/redirect/redirector.ts';

const namespace = { inode: 4026531840n } as NetworkNamespace;
const done: CommandResult = { status: 0, complaint: '' };
const signal = new AbortController().signal;

function fakeRunner(answer: (command: string) => CommandResult): {
  calls: string[];
  redirector: (hasIpv6?: boolean) => Redirector;
} {
  const calls: string[] = [];
  const run = async (_: NetworkNamespace, command: readonly string[]): Promise<CommandResult> => {
    calls.push(command.join(' '));
    return answer(command.join(' '));
  };
  return { calls, redirector: (hasIpv6 = true) => new Redirector({ run, hasIpv6: () => hasIpv6 }) };
}

const routes = (family: 4 | 6): string => `ip -${family} -force -batch -`;
const nft = 'nft -f -';

async function failureOf(task: Promise<void>): Promise<MeshError> {
  return task.then(
    () => expect.fail('succeeded'),
    (error: MeshError) => error,
  );
}

describe('Redirector', () => {
  it('lays the return path before it captures (P1), and takes it away last (P3)', async () => {
    const { calls, redirector } = fakeRunner(() => done);
    await redirector().install(namespace, {}, signal);
    await redirector().remove(namespace, signal);
    expect(calls).to.deep.equal([routes(4), routes(6), nft, nft, nft, nft, routes(4), routes(6)]);
  });

  it('lays no IPv6 route where the pod has no IPv6, or the mesh leaves it alone', async () => {
    const { calls, redirector } = fakeRunner(() => done);
    await redirector(false).install(namespace, {}, signal);
    await redirector().install(namespace, { ipv6: false }, signal);
    expect(calls).to.deep.equal([routes(4), nft, nft, nft, routes(4), nft, nft, nft]);
  });

  it('takes a rule that is there already for success', async () => {
    const complaint = 'RTNETLINK answers: File exists\nCommand failed -:1\n';
    const { redirector } = fakeRunner((command) => (command === nft ? done : { status: 1, complaint }));
    await redirector().install(namespace, {}, signal);
  });

  for (const complaint of [
    'RTNETLINK answers: No such file or directory\nCommand failed -:1\nRTNETLINK answers: No such process\nCommand failed -:2\n',
    'RTNETLINK answers: No such file or directory\nCommand failed -:1\nError: ipv4: FIB table does not exist.\nCommand failed -:2\n',
  ]) {
    it(`takes ${JSON.stringify(complaint)} on removal for success`, async () => {
      const { redirector } = fakeRunner((command) => (command === nft ? done : { status: 1, complaint }));
      await redirector().remove(namespace, signal);
    });
  }

  for (const { says, result } of [
    {
      says: 'another complaint',
      result: { status: 1, complaint: 'RTNETLINK answers: Operation not permitted\nCommand failed -:1\n' },
    },
    { says: 'a mixed complaint', result: { status: 1, complaint: 'RTNETLINK answers: File exists\nError: Invalid argument.\n' } },
    { says: 'a failure without a word', result: { status: 1, complaint: '' } },
    { says: 'a killed ip', result: { status: undefined, complaint: '' } },
  ]) {
    it(`does not capture after ${says} about the routes`, async () => {
      const { calls, redirector } = fakeRunner(() => result);
      const error = await failureOf(redirector().install(namespace, {}, signal));
      expect(error).to.be.instanceOf(MeshError).with.property('code', 'MESH-REDIRECT-001');
      expect(calls).to.deep.equal([routes(4)]);
    });
  }

  it('says which program failed where, and what it said first', async () => {
    const complaint = '/dev/stdin:3:1-2: Error: syntax error\nmore\n';
    const { redirector } = fakeRunner((command) => (command === nft ? { status: 1, complaint } : done));
    const { message } = await failureOf(redirector().install(namespace, {}, signal));
    expect(message).to.equal(
      'nft in network namespace 4026531840 ended with 1: /dev/stdin:3:1-2: Error: syntax error [MESH-REDIRECT-001]',
    );
  });

  it('wraps what kept a program from starting, but not an abort', async () => {
    const run = (): Promise<never> => Promise.reject(new Error('spawn nsenter ENOENT'));
    const redirector = new Redirector({ run, hasIpv6: () => false });
    expect((await failureOf(redirector.install(namespace, {}, signal))).message).to.include(
      'spawn nsenter ENOENT [MESH-REDIRECT-001]',
    );
    const reason = new Error('stopping');
    const aborted = new Redirector({ run: () => Promise.reject(reason), hasIpv6: () => false });
    expect(await failureOf(aborted.install(namespace, {}, AbortSignal.abort(reason)))).to.equal(reason);
  });
});
