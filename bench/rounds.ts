/** Every path in turn, round after round: what is compared ran under the same conditions. */
import type { Figures } from './report.ts';

export type RoundsOptions<P> = {
  readonly rounds: number;
  readonly measure: (path: P) => Promise<Figures>;
  readonly onProgress: (line: string) => void;
};

/** The figures of each path by its name, one entry a round. */
export async function inTurn<P extends { readonly name: string }>(
  paths: readonly P[],
  { rounds, measure, onProgress }: RoundsOptions<P>,
): Promise<Map<string, Figures[]>> {
  const figures = new Map<string, Figures[]>(paths.map((path) => [path.name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const path of paths) {
      onProgress(`round ${round} of ${rounds}: ${path.name}`);
      figures.get(path.name)?.push(await measure(path));
    }
  }
  return figures;
}
