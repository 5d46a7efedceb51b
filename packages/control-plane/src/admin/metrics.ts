/** Counters and gauges in the Prometheus text format (version 0.0.4). */

export type MetricLabels = Readonly<Record<string, string>>;

type Family = { readonly kind: 'counter' | 'gauge'; readonly help: string; readonly samples: Map<string, number> };

/** Label sets per family; beyond, samples are dropped, so that no label from outside can fill the memory. */
const maxSamples = 1000;

export class Metrics {
  readonly #families = new Map<string, Family>();

  counter(name: string, help: string): Counter {
    return new Counter(this.#family(name, 'counter', help));
  }

  gauge(name: string, help: string): Gauge {
    return new Gauge(this.#family(name, 'gauge', help));
  }

  /** The exposition, families in the order of their definition. */
  text(): string {
    return [...this.#families].map(([name, family]) => familyText(name, family)).join('');
  }

  #family(name: string, kind: Family['kind'], help: string): Map<string, number> {
    const family = { kind, help, samples: new Map<string, number>() };
    this.#families.set(name, family);
    return family.samples;
  }
}

export class Counter {
  readonly #samples: Map<string, number>;

  constructor(samples: Map<string, number>) {
    this.#samples = samples;
  }

  add(labels: MetricLabels = {}, count = 1): void {
    const key = labelText(labels);
    set(this.#samples, key, (this.#samples.get(key) ?? 0) + count);
  }
}

export class Gauge {
  readonly #samples: Map<string, number>;

  constructor(samples: Map<string, number>) {
    this.#samples = samples;
  }

  set(value: number, labels: MetricLabels = {}): void {
    set(this.#samples, labelText(labels), value);
  }
}

function set(samples: Map<string, number>, key: string, value: number): void {
  if (samples.has(key) || samples.size < maxSamples) samples.set(key, value);
}

function labelText(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function familyText(name: string, { kind, help, samples }: Family): string {
  const lines = [...samples].map(([labels, value]) => `${name}${labels} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${lines.join('')}`;
}
