/**
 * What annotations of a Service or ServiceEntry want of the choice among its endpoints, beyond Istio. A value that is none of
 * those known changes nothing and is said: a mistyped wish must not take the service away.
 */
import { maxConnectAttempts } from '@clearmesh/shared/model/service';
import type { EndpointChoice } from '@clearmesh/shared/model/service';
import { objectKey } from './l7/object-key.ts';
import type { Collections } from '../manifest/collections.ts';
import type { Metadata } from '../manifest/metadata.ts';
import type { Note } from './mesh-model.ts';

const loadBalancing = 'clearmesh.io/load-balancing';
const connectAttempts = 'clearmesh.io/connect-attempts';

type Annotated = { readonly metadata: Pick<Metadata, 'annotations'> };
type Named = Annotated & Parameters<typeof objectKey>[1];

/** `undefined` where nothing is wanted that would not be done anyway. */
export function endpointChoiceOf({ metadata }: Annotated): EndpointChoice | undefined {
  const { annotations = {} } = metadata;
  const choice = {
    leastRequest: annotations[loadBalancing] === 'least-request',
    connectAttempts: attemptsOf(annotations[connectAttempts]) ?? 1,
  };
  return choice.leastRequest || choice.connectAttempts > 1 ? choice : undefined;
}

/** What cannot be followed, one text for each annotation. */
export function wrongEndpointChoice({ metadata }: Annotated): readonly string[] {
  const { annotations = {} } = metadata;
  const [balancing, attempts] = [annotations[loadBalancing], annotations[connectAttempts]];
  return [
    ...(balancing === undefined || ['random', 'least-request'].includes(balancing)
      ? []
      : [told(loadBalancing, balancing, 'random or least-request', 'endpoints are drawn at random')]),
    ...(attempts === undefined || attemptsOf(attempts) !== undefined
      ? []
      : [told(connectAttempts, attempts, `a number from 1 to ${maxConnectAttempts}`, 'one endpoint is tried')]),
  ];
}

export function endpointChoiceNotes({ services, serviceEntries }: Collections): readonly Note[] {
  const of = (kind: string, objects: readonly Named[]): readonly Note[] =>
    objects.flatMap((each) => wrongEndpointChoice(each).map((message) => ({ object: objectKey(kind, each), message })));
  return [...of('Service', services), ...of('ServiceEntry', serviceEntries)];
}

function attemptsOf(text: string | undefined): number | undefined {
  const attempts = text !== undefined && /^\d$/.test(text) ? Number(text) : 0;
  return attempts >= 1 && attempts <= maxConnectAttempts ? attempts : undefined;
}

function told(annotation: string, value: string, wanted: string, instead: string): string {
  return `annotation ${annotation} is ${JSON.stringify(value.slice(0, 100))}, which is not ${wanted}; ${instead}`;
}
