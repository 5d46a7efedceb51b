import { expect } from 'chai';
import { describe, it } from 'mocha';
import { styleFor } from '../../src/terminal/style.ts';

describe('styleFor', () => {
  for (const [name, stream, env, coloured] of [
    ['a terminal', { isTTY: true }, {}, true],
    ['a terminal with an empty NO_COLOR', { isTTY: true }, { NO_COLOR: '' }, true],
    ['a terminal with NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, false],
    ['a pipe', {}, {}, false],
  ] as const) {
    it(`${coloured ? 'colours' : 'leaves plain'} ${name}`, () => {
      expect(styleFor(stream, env).good('x') !== 'x').to.equal(coloured);
    });
  }
});
