/** An archive of texts in the format of `tar` (ustar, as POSIX 1988 has it), which every system reads. */
import { gzipSync } from "node:zlib";

const BLOCK = 512;

/** Packs texts, by path of at most 100 bytes, into a `.tar.gz`. Only the owner may read them when they are unpacked. */
export function packTexts(texts: ReadonlyMap<string, string>, at: number): Buffer {
  const blocks = [...texts].flatMap(([path, text]) => {
    const content = Buffer.from(text);
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    return [toHeader(path, content.length, at), content, padding];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]));
}

function toHeader(path: string, size: number, at: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(path) > 100) throw new Error(`the path ${path} is too long for an archive`);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`;
  header.write(path, 0);
  header.write(octal(0o600, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(Math.floor(at / 1_000), 12), 100);
  header.write("        0", 148);
  header.write("ustar\x0000", 257);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
  );
  return header;
}
