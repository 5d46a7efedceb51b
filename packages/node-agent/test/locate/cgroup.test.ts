import fc from 'fast-check';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { podUidOf, startTimeOf } from '../../src/locate/cgroup.ts';

const uid = '7b2c1a4e-90ab-4cde-8f01-23456789abcd';
const under = uid.replaceAll('-', '_');
const hash = '0123456789abcdef0123456789abcdef';

describe('podUidOf', () => {
  for (const { form, cgroup, is } of [
    { form: 'cgroupfs, version 1', cgroup: `4:memory:/kubepods/burstable/pod${uid}/8c1\n3:cpu:/x`, is: uid },
    { form: 'cgroupfs, version 2', cgroup: `0::/kubepods/pod${uid}/8c1`, is: uid },
    {
      form: 'systemd',
      cgroup: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${under}.slice/cri-containerd-8c1.scope`,
      is: uid,
    },
    {
      form: 'nested',
      cgroup: `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${under}.slice/cri-containerd-8c1.scope`,
      is: uid,
    },
    { form: 'of another cgroup namespace', cgroup: `0::/../../pod${uid}/8c1`, is: uid },
    { form: 'a path with a colon', cgroup: `0::/kubepods.slice/kubepods-pod${under}.slice/a:b`, is: uid },
    { form: 'a pod of a file', cgroup: `0::/kubepods/burstable/pod${hash}/8c1`, is: hash },
    { form: 'a service of the node', cgroup: '0::/system.slice/kubelet.service', is: undefined },
    { form: 'a folder that only looks like a pod', cgroup: '0::/podman.slice/pod123/x', is: undefined },
    { form: 'nothing', cgroup: '', is: undefined },
  ]) {
    it(`knows ${form}`, () => {
      expect(podUidOf(cgroup)).to.equal(is);
    });
  }

  it('reads the UID of any pod in every form, whatever comes behind', () => {
    const tail = fc.string().map((text) => text.replaceAll('\n', ''));
    fc.assert(
      fc.property(fc.uuid(), tail, (any, behind) => {
        expect(podUidOf(`0::/kubepods/pod${any}/${behind}`)).to.equal(any);
        expect(podUidOf(`0::/a.slice/b-pod${any.replaceAll('-', '_')}.slice/${behind}`)).to.equal(any);
      }),
    );
  });
});

describe('startTimeOf', () => {
  it('is the 22nd field, whatever the name before holds', () => {
    const fields = Array.from({ length: 49 }, (_, index) => String(index + 4));
    expect(startTimeOf(`12 (a) b (c) S ${fields.join(' ')}\n`)).to.equal(22);
  });

  it('is unknown where there are too few fields', () => {
    expect(startTimeOf('12 (app) S 1 2 3')).to.equal(undefined);
    expect(startTimeOf('')).to.equal(undefined);
  });
});
