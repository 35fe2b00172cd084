/** See the top of the file. */
export class HeldTask {
    task;
    /** What waits to be sent. */
    next = null;
    /** Nothing is said after the end. */
    ended = false;
    cause = null;
    deadline;
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
    get signal() {
        if (this.#abort === null) {
            this.#abort = new AbortController();
            if (this.cause !== null)
                this.#abort.abort(toReason(this.cause));
        }
        return this.#abort.signal;
    }
    heartbeat() {
        this.say({ case: "alive", value: { $typeName: "orchestrator.v1.TaskAlive" } });
    }
    /** Says something about the task, unless its end has been said. */
    say(event) {
        if (this.ended)
            return;
        // An acknowledgement is a sign of life too.
        if (event.case === "alive" && this.next !== null)
            return;
        this.next = event;
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
