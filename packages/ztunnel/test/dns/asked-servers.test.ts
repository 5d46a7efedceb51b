import type net from 'node:net';
import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import type { InetAddress } from '@clearmesh/linux/inet-address';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import { AskedServers } from '../../src/dns/asked-servers.ts';

const to: InetAddress = { ip: '127.0.0.1', port: 15_053 };
const from: InetAddress = { ip: '10.1.0.1', port: 40_000 };

describe('the server that a pod asked', () => {
  let original: (from: InetAddress, to: InetAddress) => InetAddress | undefined;
  let opened: number;
  let closed: number;
  let warnings: string[];
  let canOpen: boolean;

  beforeEach(() => {
    original = () => ({ ip: '10.9.9.9', port: 53 });
    [opened, closed, warnings, canOpen] = [0, 0, [], true];
  });

  const create = (): AskedServers =>
    new AskedServers({
      openTracking: () => {
        if (!canOpen) throw new Error('EPROTONOSUPPORT');
        opened++;
        return { originalDestination: (source, arrived) => original(source, arrived), [Symbol.dispose]: () => void closed++ };
      },
      originalDestination: () => original(from, to),
      logger: { warn: (message) => void warnings.push(message) },
    });
  const shown = (found: ReturnType<AskedServers['ofDatagram']>): string | undefined =>
    found === undefined ? undefined : formatSocketAddress(found);

  const cases: readonly [says: string, told: InetAddress | undefined, server: string | undefined][] = [
    ['is where it was sent before the redirection', { ip: '10.9.9.9', port: 53 }, '10.9.9.9:53'],
    ['may have an IPv6 address', { ip: 'fd00::a', port: 53 }, '[fd00::a]:53'],
    ['is not known when it asked the proxy itself', to, undefined],
    ['is not known when nobody remembers', undefined, undefined],
    ['is not known when it is link-local, on an interface that nobody names', { ip: 'fe80::1', port: 53 }, undefined],
  ];
  for (const [says, told, server] of cases) {
    it(says, () => {
      original = () => told;
      using servers = create();
      const socket = { localAddress: to.ip, localPort: to.port } as net.Socket;
      expect([shown(servers.ofDatagram(from, to)), shown(servers.ofStream(socket))]).to.deep.equal([server, server]);
    });
  }

  it('is not known of a connection that is gone', () => {
    using servers = create();
    expect(servers.ofStream({} as net.Socket)).to.equal(undefined);
  });

  it('is looked up by the address alone of a sender with an interface', () => {
    original = (source) => (source.ip === 'fe80::5' ? { ip: 'fd00::a', port: 53 } : undefined);
    using servers = create();
    expect(shown(servers.ofDatagram({ ip: 'fe80::5%eth0', port: 1 }, to))).to.equal('[fd00::a]:53');
  });

  it('is asked for over one socket, which is opened at the first question and closed once', () => {
    const servers = create();
    expect(opened).to.equal(0);
    servers.ofDatagram(from, to);
    servers.ofDatagram(from, to);
    servers[Symbol.dispose]();
    servers[Symbol.dispose]();
    expect([opened, closed, servers.ofDatagram(from, to), opened]).to.deep.equal([1, 1, undefined, 1]);
  });

  it('is not known where the kernel refuses, with one warning, and is asked for again', () => {
    using servers = create();
    canOpen = false;
    expect([servers.ofDatagram(from, to), servers.ofDatagram(from, to)]).to.deep.equal([undefined, undefined]);
    canOpen = true;
    original = () => {
      throw new Error('EPERM');
    };
    expect(servers.ofDatagram(from, to)).to.equal(undefined);
    original = () => ({ ip: '10.9.9.9', port: 53 });
    expect(shown(servers.ofDatagram(from, to))).to.equal('10.9.9.9:53');
    expect(warnings).to.deep.equal(['the server that a pod asks for names is not known']);
  });
});
