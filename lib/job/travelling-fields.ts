import type { JobDefinition } from './job-definition.js';
import { POLICY_FIELDS } from './job-policies.js';

/** What travels: own fields that are neither policies nor injected. `undefined` ones need not: they read the same when absent. */
export function travellingFields(job: object, { injected }: Pick<JobDefinition, 'injected'>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const key of Object.keys(job)) {
    if (POLICY_FIELDS.has(key) || injected.has(key)) continue;
    const property = Object.getOwnPropertyDescriptor(job, key)!;
    // An accessor or an own __proto__ is handed on as it is, for the codec to refuse by its path.
    if (key === '__proto__' || property.get || property.set) Object.defineProperty(fields, key, property);
    else if (property.value !== undefined) fields[key] = property.value;
  }
  return fields;
}
