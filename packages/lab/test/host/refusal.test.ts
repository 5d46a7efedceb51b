import { expect } from 'chai';
import { describe, it } from 'mocha';
import { explainRefusal } from '../../src/host/refusal.ts';
import type { RefusalFacts } from '../../src/host/refusal.ts';

const facts: RefusalFacts = {
  uid: 1000,
  attempt: 'unshare: unshare failed: Operation not permitted\nmore',
  unprivilegedUsernsClone: undefined,
  maxUserNamespaces: '63000',
  apparmorRestricts: undefined,
};

describe('explainRefusal', () => {
  const table: readonly (readonly [string, Partial<RefusalFacts>, string])[] = [
    ['Debian’s switch', { unprivilegedUsernsClone: '0' }, 'sudo sysctl kernel.unprivileged_userns_clone=1'],
    ['the limit', { maxUserNamespaces: '0' }, 'sudo sysctl user.max_user_namespaces=15000'],
    ['AppArmor', { apparmorRestricts: '1' }, 'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0'],
    ['nothing visible', { unprivilegedUsernsClone: '1' }, 'no kernel setting stands in the way'],
  ];
  for (const [what, change, hint] of table) {
    it(`names ${what}, and sudo as the other way`, () => {
      const error = explainRefusal({ ...facts, ...change });
      expect(error.code).to.equal('MESH-HOST-001');
      expect(error.hint)
        .to.include(hint)
        .and.match(/run it with sudo/i);
    });
  }

  it('tells a confined root to widen its container', () => {
    const error = explainRefusal({ ...facts, uid: 0, maxUserNamespaces: '0' });
    expect(error.message).to.include('root lacks CAP_NET_ADMIN and CAP_SYS_ADMIN');
    expect(error.hint).to.include('--privileged').and.not.include('with sudo,');
  });

  it('quotes the first line of the attempt', () => {
    expect(explainRefusal(facts).message).to.include('Operation not permitted').and.not.include('more');
  });
});
