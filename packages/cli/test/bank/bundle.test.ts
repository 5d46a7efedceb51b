/** The bank's copy of a policy bundle, which must not grow old beside its source. */
import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'mocha';

const examples = new URL('../../../../examples/', import.meta.url);
const read = (path: string): Promise<Buffer> => readFile(new URL(path, examples));
type Data = { readonly four_eyes: { readonly limit: number } };

describe('the four-eyes bundle of the bank', () => {
  for (const file of ['policy.wasm', '.manifest']) {
    it(`has the ${file} of examples/policies`, async () => {
      const [own, source] = await Promise.all(['bank', 'policies'].map((name) => read(`${name}/bundles/four-eyes/${file}`)));
      expect(own!.equals(source!), `copy examples/policies/bundles/four-eyes/${file} to examples/bank`).to.equal(true);
    });
  }

  it('has its data, but for a limit that lets the standing order through', async () => {
    const [own, source] = await Promise.all(
      ['bank', 'policies'].map(async (name) => JSON.parse(String(await read(`${name}/bundles/four-eyes/data.json`))) as Data),
    );
    expect({ ...own!.four_eyes, limit: 0 }).to.deep.equal({ ...source!.four_eyes, limit: 0 });
    expect(own!.four_eyes.limit).to.be.above(1250).and.below(5000);
  });
});
