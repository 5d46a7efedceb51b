// Run by `helm test`: everything a proxy needs of the control plane before it can serve.
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

const host = process.env.CONTROL_PLANE;
const deadlineMs = 10_000;
let failed = false;

async function check(what, task) {
  try {
    console.log(`ok    ${what}: ${await task()}`);
  } catch (error) {
    failed = true;
    console.log(`WRONG ${what}: ${error.cause?.message ?? error.message}`);
  }
}

await check(`http://${host}:15014/healthz/ready`, async () => {
  const answer = await fetch(`http://${host}:15014/healthz/ready`, { signal: AbortSignal.timeout(deadlineMs) });
  const text = (await answer.text()).trim();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return text || answer.status;
});

await check(`the certificate of ${host}:15012 against istio-ca-root-cert`, () => {
  const ca = readFileSync('/var/run/secrets/istio/root-cert.pem');
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, servername: host, port: 15012, ca, ALPNProtocols: ['h2'], timeout: deadlineMs });
    socket.once('secureConnect', () => resolve(`valid until ${socket.getPeerCertificate().valid_to}`));
    socket.once('secureConnect', () => socket.destroy());
    socket.once('timeout', () => socket.destroy(new Error('no handshake in time')));
    socket.once('error', reject);
  });
});

process.exitCode = failed ? 1 : 0;
