import { create, toBinary } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { authorization, identity, ip, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { AuthorizationSchema } from '@clearmesh/shared/wire/gen/security/authorization_pb';
import { AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { authorise } from '../../src/authorise/authorise.ts';
import type { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { policyPush, storeOf } from '@clearmesh/shared/testing/pushes';

type Message = MessageInitShape<typeof AuthorizationSchema>;

/** As a newer control plane may send it: an action this proxy does not know. */
const unknownAction = 7 as number as 0;
const [global, ofNamespace, selected] = [0, 1, 2] as const;
const listing = workload({ name: 'listing', authorizationPolicies: ['bank/p'] });

function push(store: SnapshotStore, value: Uint8Array | Omit<Message, '$typeName'>): readonly string[] {
  const bytes =
    value instanceof Uint8Array
      ? value
      : toBinary(AuthorizationSchema, create(AuthorizationSchema, { name: 'p', namespace: 'bank', ...value }));
  const upserts = [{ name: 'bank/p', version: '', value: bytes }];
  return store.apply({ typeUrl: AUTHORIZATION_TYPE_URL, removed: [], upserts }).map(({ name }) => name);
}

/** Who of the listing workload, another of its namespace and one of another namespace can be reached. */
function reachable(store: SnapshotStore): readonly string[] {
  const others = [workload({ name: 'beside' }), workload({ name: 'elsewhere', namespace: 'other' })];
  return [listing, ...others]
    .filter((own) => {
      const about = { sourceIp: ip('10.0.0.1'), identity: identity('bank', 'a'), destination: socketAddress('10.0.0.2:80') };
      return authorise({ ...about, workload: own }, store.current).kind === 'permit';
    })
    .map(({ name }) => name);
}

describe('a policy that cannot be used', () => {
  const table: readonly (readonly [string, Uint8Array | Omit<Message, '$typeName'>, readonly string[]])[] = [
    ['closes the workloads that list it', { scope: selected, action: unknownAction }, ['beside', 'elsewhere']],
    ['closes its namespace', { scope: ofNamespace, action: unknownAction }, ['elsewhere']],
    ['closes the mesh when it is for all of it', { scope: global, action: unknownAction }, []],
    ['closes its namespace when its scope is unknown', { scope: 9 as number as 0 }, ['elsewhere']],
    ['closes its namespace when nothing of it can be read', Uint8Array.of(0xff), ['elsewhere']],
  ];
  for (const [title, value, left] of table) {
    it(`${title} rather than leave it unguarded, and is refused`, () => {
      const store = storeOf();
      expect(push(store, value)).to.deep.equal(['bank/p']);
      expect(reachable(store)).to.deep.equal(left);
    });
  }

  it('leaves its last good version in force', () => {
    const store = storeOf({ policies: [authorization({ name: 'p', scope: 'WORKLOAD_SELECTOR', action: 'DENY' })] });
    push(store, { scope: global, action: unknownAction });
    expect(reachable(store)).to.deep.equal(['listing', 'beside', 'elsewhere']);
  });

  it('denies nothing as a dry run', () => {
    const store = storeOf();
    push(store, { scope: ofNamespace, action: unknownAction, dryRun: true });
    expect(reachable(store)).to.deep.equal(['beside', 'elsewhere']);
  });

  it('closes nothing any more once a usable version comes, or it is removed', () => {
    const [mended, removed] = [storeOf(), storeOf()];
    for (const store of [mended, removed]) push(store, { scope: ofNamespace, action: unknownAction });
    mended.apply(policyPush({ policies: [authorization({ name: 'p', scope: 'WORKLOAD_SELECTOR', action: 'DENY' })] }));
    expect(reachable(mended)).to.deep.equal(['listing', 'beside', 'elsewhere']);
    removed.apply(policyPush({}, ['bank/p']));
    expect(reachable(removed)).to.deep.equal(['beside', 'elsewhere']);
  });
});
