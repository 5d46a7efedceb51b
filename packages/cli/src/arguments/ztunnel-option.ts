import { InvalidArgumentError } from 'commander';

/** Programs that stand in for ours as node proxies, by node; "" stands for every node without one of its own. */
export type OtherZtunnels = Readonly<Record<string, string>>;

/** `PROGRAM` for every node, or `NODE=PROGRAM` for one; may be given again. */
export function ztunnelOption(text: string, earlier: OtherZtunnels = {}): OtherZtunnels {
  const [, node = '', program = ''] = /^(?:([a-z0-9-]+)=)?(\/.+)$/.exec(text) ?? [];
  if (program !== '') return { ...earlier, [node]: program };
  throw new InvalidArgumentError('Write the absolute path of a program, or NODE=PATH for one node.');
}
