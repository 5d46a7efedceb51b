import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Console } from '../terminal/console.ts';

/** What main.ts gives every command. */
export type CommandDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: NodeJS.ProcessEnv;
  readonly console: Console;
};
