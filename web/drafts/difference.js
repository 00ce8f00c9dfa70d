// What differs between two texts, word by word.

/** Above so many comparisons what lies between the ends that are the same counts as replaced as a whole. */
const COMPARISONS_MAX = 4_000_000;

/**
 * @param {string} before
 * @param {string} after
 * @returns {{kind: 'same'|'added'|'removed', text: string}[]}
 */
export function difference(before, after) {
  const [old, young] = [words(before), words(after)];
  let start = 0;
  while (start < old.length && start < young.length && old[start] === young[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < young.length - start && old.at(-1 - end) === young.at(-1 - end)) end += 1;
  const parts = [];
  const add = (kind, some) => {
    const text = some.join('');
    if (!text) return;
    if (parts.at(-1)?.kind === kind) parts.at(-1).text += text;
    else parts.push({ kind, text });
  };
  add('same', old.slice(0, start));
  for (const [kind, some] of between(old.slice(start, old.length - end), young.slice(start, young.length - end))) add(kind, some);
  add('same', old.slice(old.length - end));
  return parts;
}

function words(text) {
  return text.match(/\s+|[^\s]+/g) ?? [];
}

/** By the longest row of words that both have. */
function between(old, young) {
  if (old.length * young.length > COMPARISONS_MAX) return [['removed', old], ['added', young]];
  const width = young.length + 1;
  const longest = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = young.length - 1; j >= 0; j -= 1) {
      const [down, right] = [longest[(i + 1) * width + j], longest[i * width + j + 1]];
      longest[i * width + j] = old[i] === young[j] ? longest[(i + 1) * width + j + 1] + 1 : Math.max(down, right);
    }
  }
  const parts = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < young.length) {
    if (i < old.length && j < young.length && old[i] === young[j]) {
      parts.push(['same', [old[i]]]);
      i += 1;
      j += 1;
    } else if (j >= young.length || (i < old.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
      parts.push(['removed', [old[i]]]);
      i += 1;
    } else {
      parts.push(['added', [young[j]]]);
      j += 1;
    }
  }
  return parts;
}
