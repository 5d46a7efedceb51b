import fc from 'fast-check';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { CniError } from '../../src/plugin/cni-error.ts';
import { readArguments, readInvocation, supportedVersions, versionFor } from '../../src/plugin/invocation.ts';

const prevResult = { cniVersion: '1.0.0', ips: [{ address: '10.1.2.3/24' }, { address: 'fd00::3/64' }], dns: {} };
const configuration = { cniVersion: '1.0.0', name: 'net', type: 'clearmesh-cni', socket: '/run/p.sock', prevResult };
const environment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/x',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=bank;K8S_POD_NAME=ledger;K8S_POD_UID=u-1',
};

const read = (env: object = {}, config: object = {}): ReturnType<typeof readInvocation> =>
  readInvocation({ ...environment, ...env }, JSON.stringify({ ...configuration, ...config }), 7);

function refusal(task: () => unknown): CniError {
  try {
    task();
  } catch (error) {
    if (error instanceof CniError) return error;
    throw error;
  }
  throw new Error('it was read');
}

describe('readInvocation', () => {
  it('makes a call of an ADD, and passes the result before it on', () => {
    const invocation = read();
    expect(invocation).to.deep.include({
      kind: 'add',
      call: {
        containerId: 'c1',
        netns: '/run/netns/x',
        podNamespace: 'bank',
        podName: 'ledger',
        podUid: 'u-1',
        ips: ['10.1.2.3', 'fd00::3'],
        pid: 7,
      },
    });
    expect(invocation.kind === 'add' && JSON.parse(invocation.result)).to.deep.equal(prevResult);
  });

  for (const namespace of ['kube-system', 'clearmesh-system']) {
    it(`answers by itself for pods of ${namespace}, and for sandboxes of no pod`, () => {
      for (const args of [`K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=x`, '']) {
        const added = read({ CNI_ARGS: args });
        expect(added.kind === 'answer' && JSON.parse(added.output)).to.deep.equal(prevResult);
        expect(read({ CNI_COMMAND: 'DEL', CNI_ARGS: args })).to.deep.equal({ kind: 'answer', output: '' });
      }
    });
  }

  it('takes a DEL without namespace and without a result before it', () => {
    const { CNI_NETNS: _netns, ...rest } = environment;
    const { prevResult: _result, ...config } = configuration;
    const invocation = readInvocation({ ...rest, CNI_COMMAND: 'DEL' }, JSON.stringify(config), 7);
    expect(invocation).to.deep.include({ kind: 'del' });
    expect('call' in invocation ? [invocation.call.netns, invocation.call.ips] : []).to.deep.equal(['', []]);
  });

  it('tells its versions for any configuration, and collects no garbage', () => {
    const told = read({ CNI_COMMAND: 'VERSION' }, { cniVersion: '0.1.0' });
    expect(told.kind === 'answer' && JSON.parse(told.output)).to.deep.equal({ cniVersion: '0.1.0', supportedVersions });
    expect(read({ CNI_COMMAND: 'GC' })).to.deep.equal({ kind: 'answer', output: '' });
    expect(read({ CNI_COMMAND: 'STATUS' }).kind).to.equal('status');
  });

  for (const { title, env, config, code, says } of [
    { title: 'a version it does not speak', config: { cniVersion: '0.2.0' }, code: 1, says: /"0.2.0" is not supported/ },
    { title: 'a version that is no text', config: { cniVersion: 1 }, code: 7, says: /cniVersion/ },
    { title: 'an unknown command', env: { CNI_COMMAND: 'FLY' }, code: 4, says: /CNI_COMMAND="FLY"/ },
    { title: 'no container', env: { CNI_CONTAINERID: '' }, code: 4, says: /CNI_CONTAINERID/ },
    { title: 'no plugin before it', config: { prevResult: undefined }, code: 7, says: /ADD without a prevResult/ },
    { title: 'a socket that is no path', config: { socket: 'p.sock' }, code: 7, says: /socket .*"p.sock"/ },
    { title: 'namespaces that are no list', config: { excludeNamespaces: 'kube-system' }, code: 7, says: /excludeNamespaces/ },
    { title: 'a timeout out of bounds', config: { timeoutMs: 5 }, code: 7, says: /timeoutMs .*5/ },
    { title: 'a switch that is neither on nor off', config: { statusFromAgent: 'yes' }, code: 7, says: /statusFromAgent/ },
  ]) {
    it(`refuses ${title}`, () => {
      const { code: told, message, details } = refusal(() => read(env, config));
      expect([told, details.length > 0]).to.deep.equal([code, true]);
      expect(message).to.match(says);
    });
  }

  it('refuses whatever is no configuration with a code of the specification, and never otherwise', () => {
    const commands = fc.constantFrom('ADD', 'CHECK', 'DEL', 'GC', 'STATUS', 'VERSION', '', undefined);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), commands, fc.string(), (input, command, args) => {
        expect(versionFor(input)).to.be.oneOf([...supportedVersions]);
        try {
          readInvocation({ CNI_COMMAND: command, CNI_ARGS: args }, input, 7);
        } catch (error) {
          expect(error).to.be.instanceOf(CniError);
          expect((error as CniError).code).to.be.oneOf([1, 4, 6, 7]);
        }
      }),
    );
  });
});

describe('readArguments', () => {
  it('reads what was written, whatever stands between', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9_./-]+$/);
    fc.assert(
      fc.property(fc.dictionary(word, word), fc.boolean(), (pairs, spaced) => {
        const text = Object.entries(pairs)
          .map(([name, value]) => (spaced ? ` ${name} = ${value} ` : `${name}=${value}`))
          .join(';');
        expect([...readArguments(`${text};;junk;=x`)]).to.deep.equal(Object.entries(pairs));
      }),
    );
  });

  it('takes the last of two', () => {
    expect(readArguments('A=1;A=2').get('A')).to.equal('2');
  });
});
