/** YAML tags by which upstream's format writes the kinds of a text match: `!Exact ledger` for `{ Exact: ledger }`. */
import type { CollectionTag, ScalarTag } from 'yaml';

const texts: readonly ScalarTag[] = ['Exact', 'Prefix', 'Suffix'].map((kind) => ({
  tag: `!${kind}`,
  resolve: (text) => ({ [kind]: text }),
}));

const presence = { Presence: [] };

/** For a document of the local configuration; the same without tags, `Exact: ledger`, needs none. */
export const variantTags: readonly (ScalarTag | CollectionTag)[] = [
  ...texts,
  { tag: '!Presence', resolve: () => presence },
  { tag: '!Presence', collection: 'seq', resolve: (list) => (list.items.length === 0 ? presence : list) },
];
