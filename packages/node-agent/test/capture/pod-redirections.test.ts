import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { LogFields } from '@clearmesh/shared/observe/log';
import { PodRedirections } from '../../src/capture/pod-redirections.ts';
import { readPod } from '../../src/watch/pod-object.ts';
import type { NodePod } from '../../src/watch/pod-object.ts';

const DNS = 'ambient.istio.io/dns-capture';

function pod(annotations: Readonly<Record<string, string>>): NodePod {
  const read = readPod({ metadata: { name: 'teller', namespace: 'bank', uid: 'teller', annotations } });
  if (read === undefined) throw new Error('unreachable: it is a pod');
  return read;
}

describe('how a pod is redirected', () => {
  const cases: readonly [says: string, dnsCapture: boolean, annotations: Readonly<Record<string, string>>, captured: boolean][] =
    [
      ['leaves DNS alone by default', false, {}, false],
      ['brings DNS to the proxy when the pod asks for it', false, { [DNS]: 'true' }, true],
      ['brings DNS to the proxy when the agent does so for all', true, {}, true],
      ['leaves DNS alone when the pod wants that', true, { [DNS]: 'false' }, false],
    ];
  for (const [says, dnsCapture, annotations, captured] of cases) {
    it(says, () => {
      const redirections = new PodRedirections({ dnsCapture }, { logger: silentLogger });
      expect(redirections.of(pod(annotations)).dnsCapture).to.equal(captured);
    });
  }

  it('says once what of an annotation is not followed, and again after the pod was forgotten', () => {
    const said: LogFields[] = [];
    const warn = (_message: string, fields: LogFields = {}): void => void said.push(fields);
    const redirections = new PodRedirections({}, { logger: { ...silentLogger, warn } });
    for (let index = 0; index < 2; index++) redirections.of(pod({ [DNS]: 'maybe' }));
    const word = { pod: 'bank/teller', reason: `${DNS}="maybe" is neither true nor false` };
    expect(said).to.deep.equal([word]);
    redirections.forget('teller');
    redirections.of(pod({ [DNS]: 'maybe' }));
    expect(said).to.deep.equal([word, word]);
  });
});
