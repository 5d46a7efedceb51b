/** Objects of core kinds that are refused, and what is said of each. */

export type WrongManifest = readonly [
  title: string,
  text: string,
  /** Line, column, field and value, as in `5:11 spec.action "DENNY"`. */
  where: string,
  message: string | RegExp,
  remedy: string | RegExp,
];

export const podHead = `apiVersion: v1
kind: Pod
`;

export const wrongObjects: readonly WrongManifest[] = [
  [
    'an unknown kind',
    'apiVersion: apps/v1\nkind: Deployment\n',
    '2:7 kind "Deployment"',
    'is not a supported kind',
    /^Supported: Namespace/,
  ],
  [
    'a mistyped kind',
    'apiVersion: v1\nkind: Sevice\n',
    '2:7 kind "Sevice"',
    'is not a supported kind',
    /^Did you mean Service\? Supported/,
  ],
  ['no kind', 'apiVersion: v1\n', '1:1 kind', 'is missing', /^Supported/],
  ['a text instead of an object', 'hello\n', '1:1 kind', 'is missing', /^Supported/],
  ['no namespace', `${podHead}metadata: { name: a }\n`, '3:11 metadata.namespace', 'is missing', 'Add metadata.namespace.'],
  [
    'a name with capitals',
    `${podHead}metadata: { name: A, namespace: bank }\n`,
    '3:19 metadata.name "A"',
    /^must be lower-case/,
    /^Write lower-case/,
  ],
  [
    'a number where text belongs',
    `${podHead}metadata:\n  name: a\n  namespace: bank\n  labels: { app.kubernetes.io/version: 1 }\n`,
    '6:40 metadata.labels["app.kubernetes.io/version"] 1',
    'must be of type string',
    'Put it in quotes: "1".',
  ],
  [
    'a port beyond 65535',
    `${podHead}metadata: { name: a, namespace: b }\nspec:\n  containers:\n    - ports:\n        - containerPort: 70000\n`,
    '7:26 spec.containers[0].ports[0].containerPort 70000',
    'must be <= 65535',
    'Write a port from 1 to 65535.',
  ],
  [
    'an address that is none',
    `${podHead}metadata: { name: a, namespace: b }\nstatus: { podIP: 10.0.0 }\n`,
    '4:18 status.podIP "10.0.0"',
    /^must be an IP address/,
    /^Write an IP address/,
  ],
  [
    'a service port of 0',
    'apiVersion: v1\nkind: Service\nmetadata: { name: s, namespace: b }\nspec:\n  ports: [{ port: 0 }]\n',
    '5:19 spec.ports[0].port 0',
    'must be >= 1',
    'Write a port from 1 to 65535.',
  ],
  [
    'a target port beyond 65535',
    'apiVersion: v1\nkind: Service\nmetadata: { name: s, namespace: b }\nspec:\n  ports: [{ port: 1, targetPort: 99999 }]\n',
    '5:34 spec.ports[0].targetPort 99999',
    /^must be a port from 1/,
    /^Write a port/,
  ],
];
