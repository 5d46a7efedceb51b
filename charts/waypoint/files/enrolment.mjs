// Run by helm: labels the namespaces that are to use this waypoint, and takes the label from those that leave it.
import { readFileSync } from 'node:fs';

const { WAYPOINT, WAYPOINT_NAMESPACE, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT, TOKEN_FILE } = process.env;
const host = KUBERNETES_SERVICE_HOST.includes(':') ? `[${KUBERNETES_SERVICE_HOST}]` : KUBERNETES_SERVICE_HOST;
const token = readFileSync(TOKEN_FILE, 'utf8').trim();
const [label, labelNamespace] = ['istio.io/use-waypoint', 'istio.io/use-waypoint-namespace'];
let failed = false;

async function ask(method, namespace, labels) {
  const answer = await fetch(`https://${host}:${KUBERNETES_SERVICE_PORT}/api/v1/namespaces/${namespace}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/merge-patch+json' },
    ...(labels === undefined ? {} : { body: JSON.stringify({ metadata: { labels } }) }),
    signal: AbortSignal.timeout(20_000),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message ?? `status ${answer.status}`);
  return body;
}

function usesUs(labels) {
  return labels[label] === WAYPOINT && (labels[labelNamespace] ?? WAYPOINT_NAMESPACE) === WAYPOINT_NAMESPACE;
}

async function enrol(namespace) {
  const { labels = {} } = (await ask('GET', namespace)).metadata;
  if (labels[label] !== undefined && !usesUs(labels)) {
    throw new Error(`it uses ${labels[label]} already; take the label ${label} off first`);
  }
  await ask('PATCH', namespace, { [label]: WAYPOINT, [labelNamespace]: WAYPOINT_NAMESPACE });
  return `uses ${WAYPOINT_NAMESPACE}/${WAYPOINT}`;
}

async function release(namespace) {
  const { labels = {} } = (await ask('GET', namespace)).metadata;
  if (!usesUs(labels)) return 'does not use it';
  await ask('PATCH', namespace, { [label]: null, [labelNamespace]: null });
  return `no longer uses ${WAYPOINT_NAMESPACE}/${WAYPOINT}`;
}

async function each(names, task) {
  for (const namespace of (names ?? '').split(',').filter((name) => name !== '')) {
    try {
      console.log(`namespace ${namespace} ${await task(namespace)}`);
    } catch (error) {
      failed = true;
      console.log(`namespace ${namespace} could not be changed: ${error.cause?.message ?? error.message}`);
    }
  }
}

await each(process.env.LEAVING, release);
await each(process.env.WANTED, enrol);
process.exitCode = failed ? 1 : 0;
