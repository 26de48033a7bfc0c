import type { Person } from './person.entity.js';

export const HEADER = ['name', 'email', 'city', 'born', 'note'];

/** What a row says about a person, or what is wrong with it. */
export function readPerson(fields: readonly string[]): Omit<Person, 'file' | 'row' | 'worker'> | string {
  if (fields.length !== HEADER.length) return 'not five fields';
  const [name = '', email = '', city = '', born = '', note = ''] = fields;
  if (name.trim() === '') return 'no name';
  if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email)) return 'no e-mail address';
  if (!/^(19|20)\d\d$/.test(born)) return 'no year of birth';
  return { name, email, city, born: Number(born), note };
}
