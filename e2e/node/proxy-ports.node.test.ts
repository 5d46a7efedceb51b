/**
 * What a pod gets that calls the ports of a proxy (l4-contract section 1), in the mesh or not: metrics and readiness at the address
 * of a node answer in HTTP, since those who scrape and probe ask there. Nothing else does, at no address, whatever is behind it.
 */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { join } from 'node:path';
import { runIn } from '../harness/command.ts';
import { heardDuring } from '../harness/heard.ts';
import { RunningMesh } from '../harness/mesh.ts';
import { callTcp } from '../harness/tcp-client.ts';

const ports = [15_000, 15_001, 15_006, 15_008, 15_020, 15_021, 15_080] as const;
const forEverybody: readonly number[] = [15_020, 15_021];

describe('the ports of a proxy', () => {
  let mesh: RunningMesh;

  before(async function () {
    this.timeout(90_000);
    mesh = await RunningMesh.start({ manifests: join(import.meta.dirname, '../manifests') });
  });
  after(async () => mesh?.[Symbol.asyncDispose]());

  const nodeIp = (name: string): string =>
    mesh.ready.nodes.find((node) => node.name === name)?.ip ?? expect.fail(`no node ${name}`);

  /** HOST:PORT to what came of asking there. */
  async function ask(caller: string, hosts: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const script = join(import.meta.dirname, '../peers/port-asker.ts');
    const targets = hosts.flatMap((host) => ports.map((port) => `${host}:${port}`));
    const { stdout, stderr } = await runIn(mesh.pod(caller).namespacePath, [process.execPath, script, ...targets]);
    expect(stderr).to.equal('');
    const outcomes = JSON.parse(stdout) as Record<string, string>;
    expect(Object.keys(outcomes)).to.have.length(targets.length);
    return outcomes;
  }

  const callers = [
    { caller: 'bank/client', title: 'a pod of the mesh' },
    { caller: 'outside/attacker', title: 'a pod that is not in the mesh' },
  ] as const;
  for (const { caller, title } of callers) {
    it(`answer ${title} in HTTP at the address of a node, those for metrics and readiness, and no others`, async () => {
      for (const host of [nodeIp('node-a'), nodeIp('node-b')]) {
        const outcomes = await ask(caller, [host]);
        const answered = ports.filter((port) => outcomes[`${host}:${port}`] === 'http');
        expect(answered, JSON.stringify(outcomes)).to.deep.equal(forEverybody);
        const rest = ports.filter((port) => !forEverybody.includes(port)).map((port) => outcomes[`${host}:${port}`]);
        for (const outcome of rest) expect(outcome, JSON.stringify(outcomes)).to.be.oneOf(['closed', 'ECONNREFUSED']);
      }
    });

    it(`answer ${title} with nothing at addresses of pods and on loopback`, async () => {
      const hosts = [mesh.pod('bank/server').ip, mesh.pod(caller).ip, '127.0.0.1'];
      const { result: outcomes, heard } = await heardDuring(mesh, () => ask(caller, hosts));
      for (const [target, outcome] of Object.entries(outcomes))
        expect(outcome, `${target} of ${JSON.stringify(outcomes)}`).to.be.oneOf(['closed', 'ECONNREFUSED', 'ECONNRESET']);
      expect(heard).to.deep.equal([]);
    });
  }

  it('are where they were afterwards: the mesh goes on serving', async () => {
    const outcome = await callTcp(mesh.pod('bank/client'), mesh.pod('bank/server').ip, 8080, 'still here');
    expect(outcome).to.include({ received: 'still here' });
  });
});
