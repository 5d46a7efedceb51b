/** Values of charts that run pods. */
import { countOrPercent, flag, integer, kubernetes, map, object, patterns, text } from './schema.ts';
import type { Schema } from './schema.ts';

export const environment: Schema = map(
  'Further environment, a name and a text each.',
  text('The value, always a text.'),
  patterns.environment,
);
export const priorityClassName: Schema = text('PriorityClass of the pods.', patterns.optionalName);
export const podAnnotations: Schema = map('Annotations of the pods.', text('Value of the annotation.'));
export const terminationGracePeriodSeconds: Schema = integer('Seconds a pod has to end by itself.', 1, 86_400);

const quantity: Schema = {
  description: 'An amount such as 200m or 1 of CPU, 256Mi of memory.',
  anyOf: [
    { type: 'number', exclusiveMinimum: 0 },
    { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$' },
  ],
};
const amounts = (description: string): Schema =>
  object(description, { cpu: quantity, memory: quantity, 'ephemeral-storage': quantity });

export const resources: Schema = object('What a pod asks for, and what it may take.', {
  requests: amounts('What is kept for it.'),
  limits: amounts('What it cannot exceed.'),
});

export const placement: Readonly<Record<string, Schema>> = {
  nodeSelector: map('Labels of the nodes it may run on.', text('Value of the label.')),
  affinity: kubernetes('Affinity of the pods, as in a Pod.'),
  tolerations: kubernetes('Tolerations of the pods, as in a Pod.', 'array'),
};

export const topologySpreadConstraints: Schema = kubernetes('How replicas are kept apart, as in a Pod.', 'array');

export const replicas: Schema = integer('Number of pods.', 1, 100);

export const autoscaling: Schema = object('A HorizontalPodAutoscaler by use of CPU.', {
  enabled: flag('Whether there is one; `replicas` is then not looked at.'),
  minReplicas: integer('Least number of pods.', 1, 100),
  maxReplicas: integer('Greatest number of pods.', 1, 100),
  targetCpu: integer('Percent of the CPU asked for.', 1, 100),
});

export const podDisruptionBudget: Schema = object('A PodDisruptionBudget, where there is more than one replica.', {
  enabled: flag('Whether there is one.'),
  minAvailable: integer('Pods that stay when nodes are drained.', 0, 100),
});

export const maxUnavailable: Schema = countOrPercent('Nodes at a time that may be without a pod during an update.');
export const maxSurge: Schema = countOrPercent('Nodes at a time that may have two pods during an update.');
