/** The walk, in order. */
import type { Step } from './step.ts';
import { allowed } from './steps/allowed.ts';
import { bypass } from './steps/bypass.ts';
import { ciphertext } from './steps/ciphertext.ts';
import { drill } from './steps/drill.ts';
import { ejection } from './steps/ejection.ts';
import { enrolment } from './steps/enrolment.ts';
import { fourEyes } from './steps/four-eyes.ts';
import { paidOnce } from './steps/paid-once.ts';
import { plaintext } from './steps/plaintext.ts';
import { policyCut } from './steps/policy-cut.ts';
import { refused } from './steps/refused.ts';
import { replica } from './steps/replica.ts';
import { stranger } from './steps/stranger.ts';
import { trace } from './steps/trace.ts';
import { waypoint } from './steps/waypoint.ts';
import type { World } from './world.ts';

export const steps: readonly Step<World>[] = [
  plaintext,
  enrolment,
  ciphertext,
  allowed,
  refused,
  stranger,
  replica,
  policyCut,
  waypoint,
  bypass,
  fourEyes,
  paidOnce,
  ejection,
  drill,
  trace,
];
