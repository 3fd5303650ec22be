// Characters as they are shown.

const SIGNS = new Map([
  [" ", "\u2423"],
  ["\n", "\u21b5"],
  ["\t", "\u21e5"],
]);

// A text whose ends of lines and tabs can be seen, and a space if it is all there is.
export const visible = (text) => text.replace(/[\n\t]|^ $/g, (character) => SIGNS.get(character));

export const quoted = (text) => `\u201c${text.replaceAll("\n", "\u21b5")}\u201d`;
