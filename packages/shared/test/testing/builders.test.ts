import { expect } from 'chai';
import { describe, it } from 'mocha';
import { authorization, cidr, ip, match, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';

describe('the builders', () => {
  it('derive keys from names', () => {
    expect(workload({ name: 'w', namespace: 'n', clusterId: 'c' }).uid).to.equal('c//Pod/n/w');
    expect(service({ name: 's', namespace: 'n' }).key).to.equal('n/s.n.svc.cluster.local');
    expect(authorization({ name: 'p', namespace: 'n' }).key).to.equal('n/p');
  });

  it('read addresses and ports as text', () => {
    expect(service({ addresses: ['net/10.0.0.0/8', 'fd00::1'], ports: { 80: 0 } })).to.deep.include({
      addresses: [
        { network: 'net', ip: ip('10.0.0.0'), prefixLength: 8 },
        { network: '', ip: ip('fd00::1') },
      ],
      ports: [{ servicePort: 80, targetPort: 0, appProtocol: 'UNKNOWN' }],
    });
    expect(socketAddress('[fd00::1]:80')).to.deep.equal({ ip: ip('fd00::1'), port: 80 });
    expect(cidr('10.1.2.3/8')).to.deep.equal({ bytes: Uint8Array.of(10, 1, 2, 3), length: 8 });
  });

  it('take services by text or as the model has them', () => {
    const { services } = workload({ services: { 'n/h': { 80: 8080 } } });
    expect([...services]).to.deep.equal([['n/h', [{ servicePort: 80, targetPort: 8080 }]]]);
    expect(workload({ services }).services).to.equal(services);
  });

  it('throw on an address that is none', () => expect(() => workload({ addresses: ['10.0.0.999'] })).to.throw('10.0.0.999'));

  it('make an empty match', () => expect(Object.values(match()).flat()).to.deep.equal([]));
});
