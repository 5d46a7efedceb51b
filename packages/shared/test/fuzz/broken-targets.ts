/** Decoders that break in every way, for tests of the search itself. */
import type { FuzzTarget } from './target.ts';

const kept: Uint8Array[] = [];
const corpus = (): readonly Uint8Array[] => [Buffer.from('some bytes, in which a mark may come')];

export const targets: readonly FuzzTarget[] = [
  { name: 'fine', corpus, run: () => 'fine' },
  {
    name: 'throws',
    corpus: () => [Buffer.from('before \xff after, and more', 'latin1')],
    run: (input) => {
      if (input.includes(0xff)) throw new Error('a byte of 255');
      return 'fine';
    },
  },
  {
    name: 'hangs',
    corpus,
    run: () => {
      for (;;);
    },
  },
  {
    name: 'slow',
    corpus,
    run: () => {
      for (const untilMs = performance.now() + 30; performance.now() < untilMs;);
      return 'fine';
    },
  },
  {
    name: 'grows',
    corpus,
    run: () => {
      kept.push(new Uint8Array(20_000));
      return 'fine';
    },
  },
];
