/**
 * Where Clearmesh serves something else than upstream on purpose, to the field. A difference that is not here fails its
 * test, and so does an entry here that differs in nothing.
 */

export type Deviation = {
  readonly scenario: string;
  readonly resource: string;
  /** `*`: the whole resource. */
  readonly field: string;
  readonly reason: string;
};

/** Of what is served, as Clearmesh ships. */
export const servedDeviations: readonly Deviation[] = [];

/** Of what is reported, whatever the options. */
export const statusDeviations: readonly Deviation[] = [];

/** Of what is reported, as Clearmesh ships, beside {@link statusDeviations}. */
export const shippedStatusDeviations: readonly Deviation[] = [];
