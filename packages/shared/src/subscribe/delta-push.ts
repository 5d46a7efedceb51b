/** What one discovery response changes, as its receiver applies it. */

/** Removals come first, then upserts (l4-contract section 3.1); no name is in both. */
export type DeltaPush = {
  readonly typeUrl: string;
  readonly removed: readonly string[];
  readonly upserts: readonly DeltaUpsert[];
};

export type DeltaUpsert = {
  readonly name: string;
  /** Opaque; "" for types without versions. */
  readonly version: string;
  /** The encoded resource. */
  readonly value: Uint8Array;
};

/** A resource that was not applied; its last good version keeps serving. */
export type Rejection = { readonly name: string; readonly reason: string };
