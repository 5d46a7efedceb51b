import net from 'node:net';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { ConnectOptions } from '@clearmesh/linux/connect-tcp';
import { SyscallError } from '@clearmesh/linux/errno';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { ip, socketAddress } from '@clearmesh/shared/testing/builders';
import { podNetwork } from '../../src/deliver/pod-network.ts';
import type { PodNetworkOptions } from '../../src/deliver/pod-network.ts';

const target = socketAddress('10.0.0.2:8080');
const forever = new AbortController().signal;

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not reject');
}

function never(signal: AbortSignal): Promise<net.Socket> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

describe('podNetwork', () => {
  const sources: readonly [PodNetworkOptions['originalSource'], boolean][] = [
    ['required', true],
    ['best-effort', true],
    ['off', false],
  ];
  for (const [originalSource, passed] of sources) {
    it(`${passed ? 'asks for' : 'leaves out'} the client’s address when it is ${originalSource}`, async () => {
      const requests: ConnectOptions[] = [];
      const connectTcp = async (request: ConnectOptions): Promise<net.Socket> => {
        requests.push(request);
        return new net.Socket();
      };
      const keepAlive = { idleSeconds: 90 };
      const network = podNetwork(
        { originalSource, mark: 1337, keepAlive },
        { connectTcp, clock: new FakeClock(), logger: silentLogger },
      );
      await network.connect(target, { source: ip('10.0.0.1') }, forever);
      expect(requests[0]).to.include({ target, mark: 1337, keepAlive });
      expect(requests[0]?.source?.ip).to.equal(passed ? '10.0.0.1' : undefined);
    });
  }

  it('gives up after 10 s with MESH-DELIVER-001', async () => {
    const clock = new FakeClock();
    const network = podNetwork(
      { originalSource: 'off' },
      { connectTcp: (_, signal) => never(signal), clock, logger: silentLogger },
    );
    const failure = rejection(network.connect(target, {}, forever));
    clock.advance(10_000);
    expect(await failure)
      .to.be.instanceOf(MeshError)
      .and.include({ code: 'MESH-DELIVER-001' });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('rejects with the signal’s reason', async () => {
    const controller = new AbortController();
    const network = podNetwork(
      { originalSource: 'off' },
      { connectTcp: (_, signal) => never(signal), clock: new FakeClock(), logger: silentLogger },
    );
    const failure = rejection(network.connect(target, {}, controller.signal));
    controller.abort('drain');
    expect(await failure).to.equal('drain');
  });

  it('fails, and closes the socket, when a required source is refused', async () => {
    const socket = new net.Socket();
    const connectTcp = async (request: ConnectOptions): Promise<net.Socket> => {
      request.onUnspoofed?.(new SyscallError('bind', 99));
      return socket;
    };
    const network = podNetwork({ originalSource: 'required' }, { connectTcp, clock: new FakeClock(), logger: silentLogger });
    expect(await rejection(network.connect(target, { source: ip('10.0.0.1') }, forever))).to.include({
      code: 'MESH-DELIVER-001',
    });
    expect(socket.destroyed).to.equal(true);
  });

  it('says which address and why when the connection fails', async () => {
    const connectTcp = async (): Promise<net.Socket> => {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    };
    const network = podNetwork({ originalSource: 'off' }, { connectTcp, clock: new FakeClock(), logger: silentLogger });
    const error = await rejection(network.connect(target, {}, forever));
    expect(error).to.be.instanceOf(MeshError);
    expect((error as MeshError).message).to.match(/10\.0\.0\.2:8080 failed: connect ECONNREFUSED/);
  });
});
