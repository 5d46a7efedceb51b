/** One tunnel stream: all that is common to the requests inside it. */
import type { AppProtocol } from '@clearmesh/shared/model/service';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { CalledService, Caller } from '../exchange/request-facts.ts';

export type Conversation = {
  readonly caller: Caller;
  readonly called: CalledService;
  /** As the service declares it. */
  readonly declared: AppProtocol;
  /** Set when a pod was addressed: no other endpoint may answer. */
  readonly workload?: WorkloadUid;
  /** `traceparent` of the CONNECT; the trace of requests that bring none of their own. */
  readonly traceparent?: string;
};
