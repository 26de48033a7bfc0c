import { types } from 'node:util';

const MAY_TRAVEL =
  'A job carries JSON values, Date, Map, Set, bigint, Buffer and typed arrays, URL, Error, TypeORM entities and @Value() classes';

/** What is wrong with a value that cannot travel and what to do about it, as the rest of a sentence that begins with its path. */
export function refusal(value: unknown, entitiesKnown = false): string {
  if (typeof value === 'symbol') return `is a symbol. ${MAY_TRAVEL}: use a string.`;
  if (typeof value === 'function') {
    const what = /^class\b/.test(Function.prototype.toString.call(value)) ? `the class ${value.name}` : 'a function';
    return `is ${what}. ${MAY_TRAVEL}: do the work in handle(), or make it a method of the job.`;
  }
  const name = className(value as object);
  if (name === undefined) return `is an object of a class without a name. ${MAY_TRAVEL}.`;
  const what = `is ${/^[AEIOU]/i.test(name) ? 'an' : 'a'} ${name}`;
  if (name.endsWith('Logger')) return `${what}. Make the field static: static fields are not part of a job.`;
  if (types.isPromise(value)) return `${what}. Await it before dispatching the job.`;
  const entity = entitiesKnown ? ' If it is an entity, initialize its DataSource before dispatching.' : '';
  return `${what}. ${MAY_TRAVEL}: pass an id and look it up in handle(), or inject it there.${entity}`;
}

function className(value: object): string | undefined {
  for (
    let one = Object.getPrototypeOf(value) as object | null;
    one;
    one = Object.getPrototypeOf(one) as object | null
  ) {
    const type: unknown = Object.getOwnPropertyDescriptor(one, 'constructor')?.value;
    if (typeof type === 'function' && type.name !== '') return type.name;
  }
  return undefined;
}
