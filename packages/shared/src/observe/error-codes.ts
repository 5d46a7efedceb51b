/** The table of error codes; `npm run generate` writes docs/errors from it. */

type Entry = {
  readonly source: 'downstream' | 'upstream' | 'configuration' | 'internal';
  readonly retry: boolean;
  /** One sentence: what the code means. */
  readonly meaning: string;
  /** One sentence: what to do. */
  readonly remedy: string;
};

export type MeshErrorCode =
  | 'MESH-INTERNAL-001'
  | 'MESH-LINUX-001'
  | 'MESH-HBONE-001'
  | 'MESH-HBONE-002'
  | 'MESH-HBONE-003'
  | 'MESH-HBONE-004'
  | 'MESH-HBONE-005'
  | 'MESH-CERT-001'
  | 'MESH-CERT-002'
  | 'MESH-XDS-001'
  | 'MESH-XDS-002'
  | 'MESH-ZDS-001'
  | 'MESH-CONFIG-001'
  | 'MESH-CONFIG-002'
  | 'MESH-CONFIG-003'
  | 'MESH-REDIRECT-001'
  | 'MESH-CAPTURE-001'
  | 'MESH-CAPTURE-002'
  | 'MESH-DELIVER-001'
  | 'MESH-HOST-001'
  | 'MESH-LAB-001'
  | 'MESH-AGENT-001'
  | 'MESH-AGENT-002'
  | 'MESH-AGENT-003'
  | 'MESH-KUBE-001';

export const errorCodes: Readonly<Record<MeshErrorCode, Entry>> = {
  'MESH-INTERNAL-001': {
    source: 'internal',
    retry: false,
    meaning: 'A defect in Clearmesh itself.',
    remedy: 'Report it with the log lines around it; the connection concerned was closed.',
  },
  'MESH-LINUX-001': {
    source: 'internal',
    retry: false,
    meaning: 'A kernel call failed.',
    remedy:
      'Check that the process has CAP_NET_ADMIN and CAP_SYS_ADMIN in its user namespace, and that the kernel feature exists (npm run doctor).',
  },
  'MESH-HBONE-001': {
    source: 'upstream',
    retry: true,
    meaning: 'The TCP connection to the peer proxy failed.',
    remedy: 'Check that port 15008 of the destination is reachable; a NetworkPolicy may block HBONE.',
  },
  'MESH-HBONE-002': {
    source: 'upstream',
    retry: false,
    meaning: 'The TLS handshake with the peer failed, or it proved another identity than expected.',
    remedy: 'Compare the expected and the presented identity in the message; check trust domain and roots of both sides.',
  },
  'MESH-HBONE-003': {
    source: 'upstream',
    retry: false,
    meaning: 'The peer answered the CONNECT with a status other than 200.',
    remedy:
      '401: a policy at the destination denies it. 421: the destination is behind a waypoint, and the request did not come from it. 503: the application does not accept connections. 400: the address is not the peer’s.',
  },
  'MESH-HBONE-004': {
    source: 'upstream',
    retry: true,
    meaning: 'The HTTP/2 connection to the peer broke or was refused before an answer.',
    remedy: 'The peer may be restarting; look at its log.',
  },
  'MESH-HBONE-005': {
    source: 'downstream',
    retry: true,
    meaning: 'A connection from a peer was closed, because too many handshakes were under way.',
    remedy: 'Look at the sources in the log: one of them opens connections and does not finish them.',
  },
  'MESH-CERT-001': {
    source: 'upstream',
    retry: true,
    meaning: 'The certificate authority refused or could not be reached.',
    remedy: 'Check CA_ADDRESS, the token and that a pod with this service account runs on the node.',
  },
  'MESH-CERT-002': {
    source: 'configuration',
    retry: false,
    meaning: 'A certificate or key could not be read.',
    remedy: 'Check the PEM file named in the message.',
  },
  'MESH-XDS-001': {
    source: 'upstream',
    retry: true,
    meaning: 'The control plane could not be reached or ended the stream.',
    remedy: 'The last configuration keeps serving; check XDS_ADDRESS, the token and the control plane’s log.',
  },
  'MESH-XDS-002': {
    source: 'upstream',
    retry: false,
    meaning: 'A resource was rejected.',
    remedy: 'The last good version of it keeps serving; mend the field named in the message.',
  },
  'MESH-ZDS-001': {
    source: 'upstream',
    retry: true,
    meaning: 'The node agent could not be reached, or sent a packet that breaks the protocol.',
    remedy: 'Check INPOD_UDS and the node agent’s log; pods already captured keep working.',
  },
  'MESH-CONFIG-001': {
    source: 'configuration',
    retry: false,
    meaning: 'A manifest is not valid.',
    remedy: 'Mend the field at the line named; the last good configuration keeps serving.',
  },
  'MESH-CONFIG-002': {
    source: 'configuration',
    retry: false,
    meaning: 'Two objects contradict each other.',
    remedy: 'Change one of the two objects named; the last good configuration keeps serving.',
  },
  'MESH-CONFIG-003': {
    source: 'configuration',
    retry: false,
    meaning: 'An option or environment variable has an unusable value.',
    remedy: 'Correct the value named in the message.',
  },
  'MESH-REDIRECT-001': {
    source: 'internal',
    retry: true,
    meaning: 'The capture rules could not be installed in a pod.',
    remedy: 'Check that nft is installed and that the process may change the pod’s network namespace.',
  },
  'MESH-HOST-001': {
    source: 'configuration',
    retry: false,
    meaning: 'This machine lacks something Clearmesh needs.',
    remedy: 'Install or enable what the message names.',
  },
  'MESH-CAPTURE-001': {
    source: 'internal',
    retry: true,
    meaning: 'The listeners of a pod could not be opened.',
    remedy: 'See whether another process in the pod uses port 15001, 15006 or 15008; it is tried again every few seconds.',
  },
  'MESH-CAPTURE-002': {
    source: 'internal',
    retry: false,
    meaning: 'A proxy could not accept connections for too long, and ended.',
    remedy:
      'Raise the limit of open files of its container, and see which pod holds so many connections (process_open_fds, clearmesh proxy pods).',
  },
  'MESH-DELIVER-001': {
    source: 'upstream',
    retry: true,
    meaning: 'The TCP connection to an application, or to an address outside the mesh, failed.',
    remedy: 'Check that the application listens on the address and port named, and not on 127.0.0.1 only.',
  },
  'MESH-LAB-001': {
    source: 'internal',
    retry: true,
    meaning: 'A part of the simulated network could not be made, run or observed.',
    remedy: 'Read what the tool said in the message; the next start removes what this one left.',
  },
  'MESH-AGENT-001': {
    source: 'internal',
    retry: true,
    meaning: 'A pod that is enrolled in the mesh is not captured.',
    remedy:
      'The node agent tries again by itself; the reason is in the message. Until then the pod’s traffic is refused where its rules stand, and outside the mesh where they do not: restart the pod if it stays so.',
  },
  'MESH-AGENT-002': {
    source: 'upstream',
    retry: true,
    meaning: 'The node agent could not read from the Kubernetes API, or write to it.',
    remedy:
      'Pods that are captured keep working. Check that the API server is reachable from the node, and the ClusterRole of service account clearmesh-node-agent.',
  },
  'MESH-AGENT-003': {
    source: 'configuration',
    retry: true,
    meaning: 'The CNI plugin could not be put into the node’s network configuration.',
    remedy:
      'Mend the file named in the message; new pods start without the plugin until then, and are captured as soon as they run.',
  },
  'MESH-KUBE-001': {
    source: 'upstream',
    retry: true,
    meaning: 'The API server of a cluster could not be reached, or refused what was asked.',
    remedy: 'Check kubeconfig and context, and that their user has the right named in the message.',
  },
};
