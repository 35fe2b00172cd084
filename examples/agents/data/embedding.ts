/**
 * Vectors of texts without a model: the words of a text and the three-letter parts of them, weighted by how rare they
 * are in the graph (TF-IDF) and hashed into a fixed number of dimensions. Texts with common words or common stems are
 * near each other; texts that only mean the same are not. The same text always has the same vector.
 */

export const EMBEDDING = "hashed-tfidf-2048";
const DIMENSIONS = 2048;
/** What a part of a word counts beside the word. */
const PART_WEIGHT = 0.5;
/** Words that say nothing about what a text is about. */
const STOP_WORDS = new Set(
  "a an and at each for from in is its like most of on or that the them to with who whose".split(" "),
);

export interface Embedder {
  /** The vector of a text, of length 1; all zeros for a text without words. */
  embed(text: string): Float64Array;
}

/** Learns from texts which features are rare. */
export function createEmbedder(texts: readonly string[]): Embedder {
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const feature of new Set(featuresOf(text).keys())) counts.set(feature, (counts.get(feature) ?? 0) + 1);
  const rarity = (feature: string): number => Math.log(1 + texts.length / (1 + (counts.get(feature) ?? 0)));
  return {
    embed(text) {
      const vector = new Float64Array(DIMENSIONS);
      for (const [feature, weight] of featuresOf(text)) {
        const hash = hashOf(feature);
        const index = hash % DIMENSIONS;
        // Features that fall on the same place cancel out as often as they add up.
        const sign = hash & 0x8000_0000 ? -1 : 1;
        vector[index] = (vector[index] ?? 0) + sign * weight * rarity(feature);
      }
      const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
      return length === 0 ? vector : vector.map((value) => value / length);
    },
  };
}

/** Cosine of the angle between vectors of length 1. */
export function similarityOf(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

function featuresOf(text: string): ReadonlyMap<string, number> {
  const features = new Map<string, number>();
  const add = (feature: string, weight: number): void => {
    features.set(feature, (features.get(feature) ?? 0) + weight);
  };
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}]+/gu)) {
    if (STOP_WORDS.has(word)) continue;
    add(word, 1);
    const padded = `^${word}$`;
    for (let index = 0; index + 3 <= padded.length; index++) add(padded.slice(index, index + 3), PART_WEIGHT);
  }
  return features;
}

/** FNV-1a with a final mix, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
