// Exits 0 when node_modules holds what package-lock.json names: npm's own record of the installation is compared with
// the lockfile. Runs on Node >= 18, before anything is installed.
import { readFileSync } from "node:fs";

const read = (path) => {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
};
const wanted = read("package-lock.json");
const present = read("node_modules/.package-lock.json");
const same =
  wanted !== undefined &&
  present !== undefined &&
  Object.entries(wanted).every(
    ([path, entry]) =>
      path === "" ||
      (present[path] ? present[path].version === entry.version : entry.optional === true || entry.devOptional === true),
  ) &&
  Object.keys(present).every((path) => path in wanted);
process.exit(same ? 0 : 1);
