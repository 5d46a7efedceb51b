/** The kubelet's readiness question: does the port accept a connection? Asked from inside the pod, where nothing is captured. */
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { NetworkNamespace } from '@clearmesh/linux/netns';

const deadlineMs = 1000;

export async function probePort(namespacePath: string, ip: string, port: number, signal: AbortSignal): Promise<boolean> {
  using namespace = NetworkNamespace.open(namespacePath);
  try {
    const socket = await connectTcp(
      { namespace, target: { ip, port } },
      AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    );
    socket.destroy();
    return true;
  } catch {
    // Refused, unreachable or too slow: not ready, whatever the reason.
    return false;
  }
}
