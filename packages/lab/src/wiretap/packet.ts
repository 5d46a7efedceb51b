import type { SocketAddress } from '@clearmesh/shared/model/ip-address';

export type TcpSegment = {
  readonly kind: 'tcp';
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  /** 32 bits, as sent. */
  readonly sequence: number;
  readonly flags: { readonly syn: boolean; readonly ack: boolean; readonly fin: boolean; readonly rst: boolean };
  readonly payload: Uint8Array;
};

/** An IP packet of another protocol, or a fragment; `payload` is what follows the IP header. */
export type OtherIp = {
  readonly kind: 'ip';
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Uint8Array;
};

/** No IP, or cut short; `payload` is the whole frame. */
export type OtherFrame = { readonly kind: 'other'; readonly payload: Uint8Array };

/** One captured frame, decoded as far as it could be. */
export type Packet = {
  /** Microseconds since the Unix epoch. */
  readonly atUs: number;
  /** Bytes on the wire, Ethernet header included. */
  readonly length: number;
  readonly content: TcpSegment | OtherIp | OtherFrame;
};
