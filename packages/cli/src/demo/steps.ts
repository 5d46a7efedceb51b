/** The walk, in order. */
import type { Step } from './step.ts';
import { allowed } from './steps/allowed.ts';
import { ciphertext } from './steps/ciphertext.ts';
import { enrolment } from './steps/enrolment.ts';
import { plaintext } from './steps/plaintext.ts';
import { policyCut } from './steps/policy-cut.ts';
import { refused } from './steps/refused.ts';
import { replica } from './steps/replica.ts';
import { stranger } from './steps/stranger.ts';
import type { World } from './world.ts';

export const steps: readonly Step<World>[] = [plaintext, enrolment, ciphertext, allowed, refused, stranger, replica, policyCut];
