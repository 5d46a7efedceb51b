/** The wiretap's findings in the words of the report. */
import type { TlsStream, WireReport as TapReport } from '@clearmesh/lab/wiretap/summary';
import type { WireReport } from './report.ts';

/** What handshakes show, each value once. */
type TlsFacts = {
  /** Versions agreed. */
  readonly versions: readonly string[];
  /** Groups that client hellos put first. */
  readonly firstGroups: readonly string[];
  /** Groups agreed. */
  readonly groups: readonly string[];
};

/** A handshake under way has agreed on nothing yet. */
export function tlsFacts(streams: readonly TlsStream[]): TlsFacts {
  const versions = new Set(streams.flatMap((stream) => stream.version ?? []));
  const groups = new Set(streams.flatMap((stream) => stream.groupChosen ?? []));
  const firstGroups = new Set(streams.map((stream) => stream.groupsOffered[0] ?? 'none'));
  return { versions: [...versions].sort(), firstGroups: [...firstGroups].sort(), groups: [...groups].sort() };
}

export function wireReport(tap: TapReport): WireReport {
  const { versions, firstGroups, groups } = tlsFacts(tap.tlsStreams);
  return {
    plaintextBytes: tap.plaintextBytes,
    totalBytes: tap.bytes,
    tlsConnections: tap.tlsStreams.length,
    tlsVersions: versions,
    firstGroup: firstGroups.join(', '),
    agreedGroups: groups,
    secretsSeen: tap.secretsSeen.length,
  };
}

/** What a walk that never came to its tap reports: nothing was seen, and nothing is claimed. */
export const nothingSeen: WireReport = {
  plaintextBytes: 0,
  totalBytes: 0,
  tlsConnections: 0,
  tlsVersions: [],
  firstGroup: '',
  agreedGroups: [],
  secretsSeen: 0,
};
