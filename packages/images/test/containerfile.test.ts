import { readFileSync, readdirSync } from 'node:fs';
import { expect } from 'chai';
import { componentNames, componentOf, entrypoint, imageVersion } from '../src/component.ts';

const folder = new URL('../containerfiles/', import.meta.url);

describe('the Containerfiles', () => {
  it('are there for every component, and for nothing else', () => {
    expect(readdirSync(folder).sort()).to.deep.equal(componentNames.map((name) => `${name}.Containerfile`).sort());
  });

  for (const name of componentNames) {
    it(`say of ${name} what its OCI archive says`, () => {
      const text = readFileSync(new URL(`${name}.Containerfile`, folder), 'utf8');
      const { title, user, tools } = componentOf(name);
      expect(text).to.contain(`images -- ${name} --rootfs`);
      expect(text).to.contain(`USER ${user === 'root' ? '0:0' : '1337:1337'}\n`);
      expect(text).to.contain(`ENTRYPOINT [${entrypoint.map((word) => `"${word}"`).join(', ')}]\n`);
      expect(text).to.contain(`image.title="${title}"`);
      expect(text).to.contain(`image.version="${imageVersion}"`);
      for (const debianPackage of Object.values(tools)) expect(text).to.match(new RegExp(`install.* ${debianPackage}\\b`));
    });
  }
});
