// Bounded, so that a text made for it cannot keep the search busy: each part is as long as such a part gets.
const WITH_PASSWORD = /(\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@]{0,256}):[^\s/]{1,1024}@/gi;

/** A text without the passwords of URLs in it, as they turn up in the errors of drivers. */
export function withoutSecrets(text: string): string {
  return text.includes('://') ? text.replaceAll(WITH_PASSWORD, '$1:***@') : text;
}
