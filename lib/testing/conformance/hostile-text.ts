/** Text that a careless store would lose, mix up or run. All of it can be kept in UTF-8. */
export const hostileText: readonly string[] = [
  "'; DROP TABLE jobs; --",
  '"double" `back` \'single\' \\ \\u0000 \\x00',
  '${process.exit(1)} #{1} %s %d %n {{x}}',
  '$1 $2 ?1 :now @id',
  'line\nbreak\r\nkick 9\ttab',
  '🎉 grüße 漢字 \u202Eright to left',
  'e\u0301 is not \u00e9',
  '\u00e9',
  ' leading and trailing ',
  'Case',
  'case',
  '*',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  '\uFEFFmark',
];

/** Text that some stores cannot keep: they must say so, and never keep something else instead. */
export const unkeepableText: readonly string[] = [
  'nul \u0000 inside',
  '\ud800',
  'lone \udfff surrogate',
  '\ud800\ud800',
];
