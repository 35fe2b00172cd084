/** What a handler gets and gives, and the call of one. */
import { NonRetryableError } from "./errors.js";
const decoder = new TextDecoder();
const encoder = new TextEncoder();
const NULL = encoder.encode("null");
/** The input of a task; null when it is empty. */
export function decodeInput(bytes) {
    return bytes.length === 0 ? null : JSON.parse(decoder.decode(bytes));
}
/** The output of a handler as JSON. Errors: OUTPUT_INVALID, OUTPUT_TOO_LARGE, which are not retried. */
export function encodeOutput(output, maxBytes) {
    if (output === undefined || output === null)
        return NULL;
    let text;
    try {
        text = JSON.stringify(output);
    }
    catch (cause) {
        throw new NonRetryableError("OUTPUT_INVALID", `the handler returned what is not JSON: ${cause}`, { cause });
    }
    if (text === undefined)
        throw new NonRetryableError("OUTPUT_INVALID", `the handler returned a ${typeof output}`);
    const bytes = encoder.encode(text);
    if (bytes.length <= maxBytes)
        return bytes;
    throw new NonRetryableError("OUTPUT_TOO_LARGE", `the output has ${bytes.length} bytes of JSON, more than ${maxBytes}`);
}
