/**
 * A task that the worker holds.
 *
 *   received → acknowledged → handler ended → reported → answered: no longer held
 *
 * Nothing is said about a task after its end.
 */
import { create } from "@bufbuild/protobuf";
import { LogLevel, TaskLoggedSchema, TaskProgressedSchema, } from "../connect/v1.js";
import { cut } from "./errors.js";
import { decodeInput } from "./handler.js";
import { Words } from "./words.js";
/** Bounds of the contract, characters; of checkpoints, bytes. */
const MAX_MESSAGE = 1_024;
const MAX_LINE = 4_096;
const MAX_CHECKPOINT = 65_536;
const LEVELS = { debug: LogLevel.DEBUG, info: LogLevel.INFO, warn: LogLevel.WARN, error: LogLevel.ERROR };
/** See the top of the file. */
export class HeldTask {
    task;
    /** What waits to be sent. */
    words = new Words();
    /** Nothing is said after the end. */
    ended = false;
    cause = null;
    deadline;
    #saved;
    #say;
    #abort = null;
    #alarm;
    #pulse;
    constructor(task, say) {
        this.task = task;
        this.#say = say;
        const { timeout, heartbeatTimeout } = task;
        const timeoutMs = toMs(timeout);
        this.deadline = timeoutMs === null ? null : new Date(Date.now() + timeoutMs);
        if (timeoutMs !== null)
            this.#armAlarm(timeoutMs);
        const pulseMs = toMs(heartbeatTimeout);
        if (pulseMs !== null)
            this.#pulse = setInterval(() => this.heartbeat(), Math.max(10, pulseMs / 3));
    }
    get runId() {
        return this.task.runId;
    }
    get taskId() {
        return this.task.taskId;
    }
    get flowId() {
        return this.task.flowId;
    }
    get queue() {
        return this.task.queue;
    }
    get handler() {
        return this.task.handler;
    }
    get attempt() {
        return this.task.attempt;
    }
    get idempotencyKey() {
        return this.task.idempotencyKey;
    }
    get fencingToken() {
        return this.task.fencingToken;
    }
    get correlationId() {
        return this.task.correlationId;
    }
    get traceparent() {
        return this.task.traceparent;
    }
    get tracestate() {
        return this.task.tracestate;
    }
    get signal() {
        if (this.#abort === null) {
            this.#abort = new AbortController();
            if (this.cause !== null)
                this.#abort.abort(toReason(this.cause));
        }
        return this.#abort.signal;
    }
    get token() {
        return this.task.taskToken;
    }
    get lastCheckpoint() {
        const { checkpointJson } = this.task;
        if (this.#saved === undefined && checkpointJson.length > 0)
            this.#saved = decodeInput(checkpointJson);
        return this.#saved;
    }
    heartbeat() {
        this.say({ case: "alive", value: { $typeName: "orchestrator.v1.TaskAlive" } });
    }
    progress({ fraction, current, total, message = "" }) {
        const value = create(TaskProgressedSchema, {
            message: cut(message, MAX_MESSAGE),
            ...(fraction === undefined ? {} : { fraction: Math.min(Math.max(0, fraction), 1) }),
            ...(current === undefined ? {} : { current: Math.trunc(current) }),
            ...(total === undefined ? {} : { total: Math.trunc(total) }),
        });
        this.say({ case: "progress", value });
    }
    log(text, level = "info") {
        this.say({ case: "log", value: create(TaskLoggedSchema, { text: cut(text, MAX_LINE), level: LEVELS[level] }) });
    }
    checkpoint(value) {
        const checkpointJson = new TextEncoder().encode(JSON.stringify(value ?? null));
        const { length } = checkpointJson;
        if (length > MAX_CHECKPOINT)
            throw new RangeError(`a checkpoint has ${length} bytes, more than ${MAX_CHECKPOINT}`);
        this.#saved = JSON.parse(new TextDecoder().decode(checkpointJson));
        this.say({ case: "checkpoint", value: { $typeName: "orchestrator.v1.TaskCheckpointed", checkpointJson } });
    }
    detach() {
        this.end({ case: "detached", value: { $typeName: "orchestrator.v1.TaskDetached" } });
    }
    /** Says something about the task, unless its end has been said. */
    say(event) {
        if (this.ended)
            return;
        this.words.add(event);
        this.#say(this, event);
    }
    /** Says the last word. */
    end(event) {
        this.say(event);
        this.drop();
    }
    /** Nothing more is said. */
    drop() {
        this.ended = true;
        clearTimeout(this.#alarm);
        clearInterval(this.#pulse);
    }
    /** Tells the handler that its result is no longer wanted. The first cause stands. */
    abort(cause) {
        if (this.cause !== null)
            return;
        this.cause = cause;
        this.#abort?.abort(toReason(cause));
    }
    /** Longer waits than a timer can do are made of several. */
    #armAlarm(leftMs) {
        const step = Math.min(leftMs, 2 ** 30);
        this.#alarm = setTimeout(() => (leftMs > step ? this.#armAlarm(leftMs - step) : this.abort("TIMEOUT")), step);
    }
}
function toReason(cause) {
    return new DOMException(`the task is no longer wanted: ${cause}`, "AbortError");
}
/** A duration of the contract in milliseconds; null when there is none. */
export function toMs(duration) {
    return duration === undefined ? null : Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
}
