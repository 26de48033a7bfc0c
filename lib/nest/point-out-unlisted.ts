import type { JobDefinition } from '../job/job-definition.js';
import type { JobRegistry } from '../job/job-registry.js';

/** Says once a class that a job is sent which no module of this process lists: easily forgotten, and late to find out. */
export function pointOutUnlisted(
  registry: JobRegistry,
  warn: (message: string) => void,
): (definition: JobDefinition) => void {
  const seen = new WeakSet<JobDefinition>();
  return (definition) => {
    if (seen.has(definition)) return;
    seen.add(definition);
    if (registry.explored && !registry.has(definition)) {
      warn(
        `${definition.type.name} is dispatched, but no module of this process lists it in its providers. A worker that does not know it cannot run it.`,
      );
    }
  };
}
