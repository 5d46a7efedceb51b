/** Where configuration comes from: a directory, or the Kubernetes API. */
import type { Collections } from '../manifest/collections.ts';
import type { Problem } from '@clearmesh/shared/document/problem';

/** What a source says, in order. */
export type SourceEvent =
  | {
      readonly kind: 'taken';
      readonly collections: Collections;
      readonly objects: number;
      /** Absent where there are none. */
      readonly files?: number;
      /**
       * Of objects that were left out alone: the last good version of each is among the collections, if there was one.
       * @default none
       */
      readonly problems?: readonly Problem[];
    }
  /** Nothing changed: the last collections stay. */
  | { readonly kind: 'rejected'; readonly problems: readonly Problem[] };

export interface ConfigurationSource extends AsyncDisposable {
  /** Calls back for each event; returns the unsubscriber. */
  onEvent(listener: (event: SourceEvent) => void): () => void;
  /** Begins; what the source knows without waiting for others is delivered before this resolves. */
  start(): Promise<void>;
  /** What it still waits for before its first event, in words. */
  readonly waitsFor?: string | undefined;
}
