/**
 * What the worker has to say, in as few calls as possible: one call is under way, and what comes meanwhile goes with
 * the next. A report is repeated until the service has answered it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { TaskReportOutcome, TaskState, } from "../connect/v1.js";
import { toFailed } from "./call-handler.js";
import { NonRetryableError, REPORT_REFUSED } from "./errors.js";
import { isEnd } from "./words.js";
/** Bytes of outputs after which the rest goes with the next call. */
const MAX_BYTES = 1_024 * 1_024;
const MAX_PAUSE_MS = 2_000;
const UNKNOWN = {
    $typeName: "orchestrator.v1.TaskReportResult",
    outcome: TaskReportOutcome.UNKNOWN,
    taskState: TaskState.UNSPECIFIED,
    outputType: "",
};
/** Sends reports. */
export class Outbox {
    #parts;
    #waiting = new Set();
    #isSending = false;
    #failures = 0;
    /** A call was refused for one of its reports: they go one by one. */
    #singly = 0;
    #ended = new AbortController();
    constructor(parts) {
        this.#parts = parts;
    }
    /** Something about the task waits to be sent. */
    add(held) {
        this.#waiting.add(held);
        if (this.#isSending || this.#ended.signal.aborted)
            return;
        this.#isSending = true;
        // What comes in the same turn of the event loop goes along.
        setImmediate(() => void this.#sendAll());
    }
    /** Sends nothing more. */
    end() {
        this.#ended.abort();
    }
    async #sendAll() {
        while (this.#waiting.size > 0 && !this.#ended.signal.aborted) {
            const batch = this.#take();
            try {
                const results = await this.#parts.send(batch.map(([{ task }, event]) => toReport(task.taskToken, event)));
                this.#settle(batch, results);
            }
            catch (error) {
                this.#failed(batch, ConnectError.from(error));
            }
            if (this.#failures > 0)
                await this.#pause();
        }
        this.#isSending = false;
    }
    #take() {
        const batch = [];
        const most = this.#singly > 0 ? 1 : this.#parts.maxReports();
        let bytes = 0;
        for (const held of this.#waiting) {
            if (batch.length >= most || bytes > MAX_BYTES)
                break;
            for (const event of held.words.take(most - batch.length)) {
                bytes += sizeOf(event);
                batch.push([held, event]);
            }
            if (!held.words.areWaiting)
                this.#waiting.delete(held);
        }
        return batch;
    }
    #settle(batch, results) {
        this.#singly = Math.max(0, this.#singly - 1);
        const unavailable = batch.filter(([held, event], index) => {
            const result = results[index];
            if (result === undefined || result.outcome === TaskReportOutcome.UNAVAILABLE)
                return true;
            this.#parts.answered(held, event, result);
            return false;
        });
        this.#again(unavailable);
        this.#failures = unavailable.length === 0 ? 0 : this.#failures + 1;
    }
    /** The last one first: each goes before what was said after it. */
    #again(batch) {
        for (const [held, event] of batch.toReversed()) {
            held.words.again(event);
            if (held.words.areWaiting)
                this.#waiting.add(held);
        }
    }
    #failed(batch, error) {
        const isRefused = error.code === Code.InvalidArgument;
        const [only] = batch;
        if (isRefused && batch.length === 1 && only !== undefined) {
            this.#refused(...only, error);
            return;
        }
        if (isRefused)
            this.#singly = batch.length;
        else
            this.#failures += 1;
        this.#again(batch);
    }
    /** A result or an error that the service does not take fails its task with another one, which says so. */
    #refused(held, event, { message }) {
        this.#parts.log(`the service refused a report about ${held.taskId} of run ${held.runId}: ${message}`);
        if (event.case === "failed" && event.value.type === REPORT_REFUSED)
            this.#parts.answered(held, event, { ...UNKNOWN, message });
        else if (isEnd(event))
            this.#again([[held, toFailed(new NonRetryableError(REPORT_REFUSED, message))]]);
    }
    async #pause() {
        const { signal } = this.#ended;
        await sleep(jitter(this.#failures, MAX_PAUSE_MS), undefined, { signal }).catch(() => { });
    }
}
function toReport(taskToken, event) {
    return { $typeName: "orchestrator.v1.TaskReport", taskToken, event };
}
function sizeOf(event) {
    if (event.case !== "succeeded" || event.value.outputValue.case !== "outputJson")
        return 64;
    return event.value.outputValue.value.length + 64;
}
/** A random delay that doubles with every failure, from 50 ms up to `maxMs`. */
export function jitter(failures, maxMs) {
    return Math.min(maxMs, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);
}
