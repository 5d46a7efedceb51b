import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import type { ConnectOptions } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { originalDestination } from '@clearmesh/linux/original-destination';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { runInNamespace } from '../../src/redirect/namespace-command.ts';
import { PROXY_MARK } from '../../src/redirect/pod-rules.ts';
import type { Redirection } from '../../src/redirect/redirection.ts';
import { Redirector } from '../../src/redirect/redirector.ts';
import { backends, stateOf } from './backends.ts';

const families = [
  { family: 4, far: '10.78.0.1', pod: '10.78.0.2', loopback: '127.0.0.1' },
  { family: 6, far: 'fd78::1', pod: 'fd78::2', loopback: '::1' },
] as const;
const PROBE = '169.254.7.127';
const soon = (): AbortSignal => AbortSignal.timeout(5000);
const plain = (ip: string | undefined): string => ip?.replace(/^::ffff:/, '') ?? '';

/** Where a connection ended up, seen from the server that took it. */
type Arrival = {
  readonly port: number;
  readonly from: string;
  readonly original: string | undefined;
  readonly socket: net.Socket;
};

for (const { name, backend } of backends) {
  describe(`redirection in a pod by ${name}`, () => {
    let bed: NamespaceBed;
    let far: NetworkNamespace;
    let pod: NetworkNamespace;
    const redirector = new Redirector({ run: runInNamespace, backend });
    const cleanups: (() => void)[] = [];

    beforeEach(() => {
      bed = new NamespaceBed();
      far = bed.add('far');
      pod = bed.add('pod');
      bed.link(
        { namespace: 'far', device: 'eth0', addresses: ['10.78.0.1/24', 'fd78::1/64'] },
        { namespace: 'pod', device: 'eth0', addresses: ['10.78.0.2/24', 'fd78::2/64'] },
      );
    });
    afterEach(() => {
      for (const cleanup of cleanups.splice(0)) cleanup();
      bed[Symbol.dispose]();
    });

    /** Listens on some ports of a namespace and gives the first connection that arrives at any. */
    async function firstArrival(
      namespace: NetworkNamespace,
      ports: readonly number[],
      mark: number | undefined = PROXY_MARK,
    ): Promise<() => Promise<Arrival>> {
      const arrival = Promise.withResolvers<Arrival>();
      for (const port of ports) {
        const { fd } = listenSocket({ namespace, ip: '::', port, mark, transparent: 'required' });
        const server = net.createServer({ allowHalfOpen: true }, (socket) => {
          cleanups.push(() => socket.destroy());
          const original = originalDestination(socket);
          const text = original === undefined ? undefined : `${original.ip}:${original.port}`;
          arrival.resolve({ port, from: plain(socket.remoteAddress), original: text, socket });
        });
        server.listen({ fd });
        cleanups.push(() => server.close());
        await once(server, 'listening');
      }
      return () =>
        Promise.race([arrival.promise, once(soon(), 'abort').then(() => expect.fail(`nobody arrived at ${ports.join(', ')}`))]);
    }

    async function connect(options: ConnectOptions): Promise<net.Socket> {
      const socket = await connectTcp(options, soon());
      cleanups.push(() => socket.destroy());
      return socket;
    }

    const capture = (redirection: Redirection = {}): Promise<void> => redirector.install(pod, redirection, soon());

    for (const { family, far: farIp, pod: podIp, loopback } of families) {
      describe(`over IPv${family}`, () => {
        it('brings what arrives to 15006, which learns its destination', async () => {
          await capture();
          const arrival = await firstArrival(pod, [15006, 8080]);
          await connect({ namespace: far, target: { ip: podIp, port: 8080 } });
          expect(await arrival()).to.include({ port: 15006, from: farIp, original: `${podIp}:8080` });
        });

        it('brings what leaves to 15001, which learns its destination', async () => {
          await capture();
          const arrival = await firstArrival(pod, [15001]);
          await connect({ namespace: pod, target: { ip: farIp, port: 443 } });
          expect(await arrival()).to.include({ port: 15001, from: podIp, original: `${farIp}:443` });
        });

        it('lets what the proxy sends leave', async () => {
          await capture();
          const arrival = await firstArrival(far, [443]);
          await connect({ namespace: pod, target: { ip: farIp, port: 443 }, mark: PROXY_MARK });
          expect(await arrival()).to.include({ port: 443, from: podIp });
        });

        it('leaves HBONE to 15008', async () => {
          await capture();
          const arrival = await firstArrival(pod, [15006, 15008]);
          await connect({ namespace: far, target: { ip: podIp, port: 15008 } });
          expect(await arrival()).to.include({ port: 15008, from: farIp });
        });

        for (const target of [podIp, loopback]) {
          it(`leaves calls of the pod to its own ${target} alone`, async () => {
            await capture();
            const arrival = await firstArrival(pod, [15001, 15006, 8080]);
            await connect({ namespace: pod, target: { ip: target, port: 8080 } });
            expect((await arrival()).port).to.equal(8080);
          });
        }

        for (const rpFilter of ['0', '1']) {
          it(`shows the application the true client, and brings its answers back to the proxy (rp_filter ${rpFilter})`, async () => {
            pod.run(() => {
              for (const name of ['all', 'default', 'eth0', 'lo'])
                writeFileSync(`/proc/sys/net/ipv4/conf/${name}/rp_filter`, rpFilter);
            });
            await capture();
            const captured = await firstArrival(pod, [15006]);
            const client = await connect({ namespace: far, target: { ip: podIp, port: 8080 } });
            const inbound = await captured();
            const delivered = await firstArrival(pod, [8080]);
            const source = { ip: inbound.from, transparent: true } as const;
            const outward = await connect({ namespace: pod, target: { ip: podIp, port: 8080 }, mark: PROXY_MARK, source });
            const application = await delivered();
            expect(application.from).to.equal(farIp);
            inbound.socket.pipe(outward).pipe(inbound.socket);
            application.socket.pipe(application.socket);
            // More than any socket buffer, so that many packets take the return path.
            const sent = Buffer.alloc(4_000_000, 'mesh');
            client.end(sent);
            expect(Buffer.concat(await client.toArray()).equals(sent)).to.equal(true);
          });
        }

        it('leaves connections alone that were open before it, in both directions', async () => {
          const inbound = await firstArrival(pod, [8080], 0);
          const outbound = await firstArrival(far, [443], 0);
          const calls = [
            {
              socket: await connect({ namespace: far, target: { ip: podIp, port: 8080 } }),
              application: (await inbound()).socket,
            },
            {
              socket: await connect({ namespace: pod, target: { ip: farIp, port: 443 } }),
              application: (await outbound()).socket,
            },
          ];
          await capture();
          for (const { socket, application } of calls) {
            application.pipe(application);
            socket.end('as before');
            expect(String(Buffer.concat(await socket.toArray()))).to.equal('as before');
          }
        });

        it('keeps what it has redirected after it takes no new connections any more', async () => {
          await capture();
          const captured = await firstArrival(pod, [15001]);
          const kept = await connect({ namespace: pod, target: { ip: farIp, port: 443 } });
          const { socket: proxied } = await captured();
          await capture({ inboundCapture: false, outboundCapture: false });
          const direct = await firstArrival(far, [443], 0);
          await connect({ namespace: pod, target: { ip: farIp, port: 443 } });
          expect((await direct()).port).to.equal(443);
          proxied.pipe(proxied);
          kept.end('still');
          expect(String(Buffer.concat(await kept.toArray()))).to.equal('still');
        });

        it('refuses connections while no proxy listens: it fails closed', async () => {
          await capture();
          const arrival = await firstArrival(pod, [8080]);
          const code = await connectTcp({ namespace: far, target: { ip: podIp, port: 8080 } }, soon()).catch(
            (e: NodeJS.ErrnoException) => e.code,
          );
          expect(code).to.equal('ECONNREFUSED');
          await redirector.remove(pod, soon());
          await connect({ namespace: far, target: { ip: podIp, port: 8080 } });
          expect((await arrival()).port).to.equal(8080);
        });

        it('brings DNS to 15053 on request, over UDP and TCP', async () => {
          await capture({ dnsCapture: true });
          expect(bed.exec('pod', process.execPath, '--input-type=module', '--eval', dnsProbe(family, farIp))).to.equal(
            'question\n',
          );
          const arrival = await firstArrival(pod, [15001, 15053]);
          await connect({ namespace: pod, target: { ip: farIp, port: 53 } });
          expect((await arrival()).port).to.equal(15053);
        });

        it('captures nothing inbound on request, but still what leaves', async () => {
          await capture({ inboundCapture: false });
          const inbound = await firstArrival(pod, [15006, 8080]);
          await connect({ namespace: far, target: { ip: podIp, port: 8080 } });
          expect((await inbound()).port).to.equal(8080);
          const outbound = await firstArrival(pod, [15001]);
          await connect({ namespace: pod, target: { ip: farIp, port: 443 } });
          expect((await outbound()).port).to.equal(15001);
        });
      });
    }

    it('lets probes of the node pass straight to the application', async () => {
      await capture();
      bed.exec('far', 'ip', 'address', 'add', `${PROBE}/32`, 'dev', 'lo');
      bed.exec('pod', 'ip', 'route', 'add', PROBE, 'via', '10.78.0.1');
      const arrival = await firstArrival(pod, [15006, 8080]);
      await connect({ namespace: far, target: { ip: '10.78.0.2', port: 8080 }, source: { ip: PROBE, transparent: true } });
      expect(await arrival()).to.include({ port: 8080, from: PROBE });
    });

    it('captures what arrives on a virtual interface as outgoing', async () => {
      await capture({ virtualInterfaces: ['eth0'] });
      const arrival = await firstArrival(pod, [15001, 15006]);
      await connect({ namespace: far, target: { ip: '10.78.0.2', port: 8080 } });
      expect((await arrival()).port).to.equal(15001);
    });

    it('is the same after a second installation, and gone after removal, however often', async () => {
      // What the programs make by themselves at their first use is not ours.
      await capture();
      await redirector.remove(pod, soon());
      const before = stateOf(bed, name);
      await capture();
      const once = stateOf(bed, name);
      await redirector.install(pod, {}, soon(), 'open');
      expect(stateOf(bed, name)).to.equal(once);
      await capture();
      expect(stateOf(bed, name)).to.equal(once);
      await capture({ dnsCapture: true });
      expect(stateOf(bed, name)).to.include('15053');
      await capture();
      expect(stateOf(bed, name)).to.equal(once);
      await redirector.remove(pod, soon());
      expect(stateOf(bed, name)).to.equal(before);
      await redirector.remove(pod, soon());
      expect(stateOf(bed, name)).to.equal(before);
    });

    it('leaves rules of others alone', async () => {
      const own =
        name === 'nft' ? ['nft', 'add table inet firewall'] : [name, '-t', 'nat', '-A', 'OUTPUT', '-p', 'udp', '-j', 'ACCEPT'];
      bed.exec('pod', own[0]!, ...own.slice(1));
      await capture();
      await redirector.remove(pod, soon());
      expect(stateOf(bed, name)).to.match(name === 'nft' ? /^table inet firewall \{\n\}/ : /^-A OUTPUT -p udp -j ACCEPT$/m);
    });

    it('installs where IPv6 is switched off', async () => {
      pod.run(() => writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '1'));
      await capture();
      const arrival = await firstArrival(pod, [15006]);
      await connect({ namespace: far, target: { ip: '10.78.0.2', port: 80 } });
      expect((await arrival()).original).to.equal('10.78.0.2:80');
      await redirector.remove(pod, soon());
    });

    it('leaves the namespace of the agent itself alone', async () => {
      await capture();
      bed.add('other');
      expect(bed.exec('other', 'nft', 'list', 'ruleset')).to.not.match(/15001|15006/);
      expect(bed.exec('far', 'nft', 'list', 'ruleset')).to.not.match(/15001|15006/);
    });

    it('says what nft said when it fails', async () => {
      const result = await runInNamespace(pod, ['nft', '-f', '-'], 'no such statement\n', soon());
      expect(result.status).to.equal(1);
      expect(result.complaint).to.include('syntax error');
      const broken = new Redirector({
        run: (namespace, command, _, signal) => runInNamespace(namespace, command, 'nonsense\n', signal),
      });
      const error = await broken.install(pod, {}, soon()).catch((e: unknown) => e);
      expect(error).to.be.instanceOf(MeshError).with.property('code', 'MESH-REDIRECT-001');
    });
  });
}

/** Runs inside the pod: asks a far name server and prints what arrives at 15053, or what came of waiting for it. */
function dnsProbe(family: 4 | 6, server: string): string {
  return `
    import dgram from 'node:dgram';
    import { once } from 'node:events';
    const proxy = dgram.createSocket('udp${family}').bind(15053);
    await once(proxy, 'listening');
    const application = dgram.createSocket('udp${family}');
    application.send('question', 53, '${server}');
    const [message] = await once(proxy, 'message', { signal: AbortSignal.timeout(3000) });
    console.log(String(message));
    process.exit(0);`;
}
