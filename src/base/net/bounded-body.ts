/** Reads the body of an answer up to a bound, and ends the connection beyond it. */

/** The body as text; null: it has more than `maxBytes` bytes. Rejects when the connection breaks or is aborted. */
export async function readBounded(response: Response, maxBytes: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop cancels the body.
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
