/**
 * A worker: takes tasks from queues, does them with its handlers, and reports what became of them. See session.ts for
 * how it reaches the service.
 *
 *   stopping: no new tasks → handlers may end → what still runs is aborted and handed back → stopped
 */
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { TaskReportOutcome, } from "../connect/v1.js";
import { callHandler, toHandedBack } from "./call-handler.js";
import { HeldTask } from "./held-task.js";
import { Outbox } from "./outbox.js";
import { openTransport, Session } from "./session.js";
import { isEnd } from "./words.js";
/** How long aborted handlers have to end, and reports to be answered, milliseconds. */
const ABORT_GRACE_MS = 5_000;
/** How long a stopping worker listens for tasks that it hands back, milliseconds. */
const FAREWELL_MS = 200;
/** Outcomes of reports after which nothing that is said about the task counts. */
const OVER = new Set([
    TaskReportOutcome.OUTDATED,
    TaskReportOutcome.UNKNOWN,
    TaskReportOutcome.ALREADY_REPORTED,
]);
/** See the top of the file. */
export class Worker {
    #options;
    #session;
    #handlers = new Map();
    #held = new Map();
    #outbox;
    #stop = new AbortController();
    #onIdle = null;
    constructor(options) {
        this.#options = options;
        this.#session = new Session({
            transport: options.transport ?? openTransport(options.address, options.token),
            worker: () => this.#describe(),
            receive: (event) => this.#receive(event),
            sayAlive: () => {
                for (const held of this.#held.values())
                    held.heartbeat();
            },
            log: (message) => this.#log(message),
        });
        this.#outbox = new Outbox({
            send: (reports) => this.#session.report(reports),
            maxReports: () => this.#session.maxReports,
            answered: (held, event, result) => this.#answered(held, event, result),
            log: (message) => this.#log(message),
        });
    }
    /** Registers a handler; before {@link Worker.run}. */
    handle(name, handler) {
        this.#handlers.set(name, handler);
        return this;
    }
    /**
     * Works until SIGINT, SIGTERM, `signal`, or {@link Worker.stop}, then stops: it takes no new tasks, waits for its
     * handlers, and hands back what they do not finish. A second SIGINT or SIGTERM aborts them at once. Rejects when the
     * service refuses to register the worker; a service that is away is waited for.
     */
    async run({ signal } = {}) {
        const hurry = new AbortController();
        const stop = () => (this.#stop.signal.aborted ? hurry.abort() : this.stop());
        process.on("SIGINT", stop).on("SIGTERM", stop);
        signal?.addEventListener("abort", stop);
        if (signal?.aborted === true)
            stop();
        const ended = new AbortController();
        const beating = this.#session.beat(ended.signal);
        try {
            await this.#session.read(this.#stop.signal);
            await this.#finish(hurry.signal);
        }
        finally {
            ended.abort();
            this.#outbox.end();
            await beating;
            process.off("SIGINT", stop).off("SIGTERM", stop);
            signal?.removeEventListener("abort", stop);
        }
    }
    /** Begins to stop; {@link Worker.run} resolves when it has. */
    stop() {
        if (this.#stop.signal.aborted)
            return;
        this.#stop.abort();
        // What is on its way is handed back, and what is here acknowledged, before the stream closes: neither counts as
        // lost.
        setTimeout(() => this.#session.close(), FAREWELL_MS);
    }
    #describe() {
        const { name = `${hostname()}/${process.pid}`.slice(0, 128), queues = [], slots = 10 } = this.#options;
        const { labels = {}, buildId = "" } = this.#options;
        const handlers = [...this.#handlers.keys()];
        return { name, queues: [...queues], slots, labels, buildId, handlers, sdk: "typescript/0.1.0" };
    }
    #receive(event) {
        if (event.case === "task")
            this.#begin(event.value);
        else if (event.case === "cancellation")
            this.#held.get(event.value.taskToken)?.abort("CANCELED");
        else if (event.case === "drain")
            this.#drain(event.value.reason);
    }
    #drain(reason) {
        this.#log(`an operator drains this worker: ${reason}`);
        this.stop();
    }
    #begin(task) {
        const { taskToken } = task;
        if (this.#held.has(taskToken))
            return;
        const held = new HeldTask(task, (one) => this.#outbox.add(one));
        this.#held.set(taskToken, held);
        const handler = this.#handlers.get(task.handler);
        if (this.#stop.signal.aborted)
            held.end(toHandedBack("the worker stops"));
        else if (handler === undefined)
            held.end(toHandedBack(`there is no handler ${task.handler}`));
        else
            void this.#handle(held, handler);
    }
    async #handle(held, handler) {
        held.say({ case: "acknowledged", value: { $typeName: "orchestrator.v1.TaskAcknowledged" } });
        held.end(await callHandler(held, handler, this.#session.maxOutputBytes));
    }
    #answered(held, event, { outcome, message }) {
        const isOver = OVER.has(outcome);
        if (outcome === TaskReportOutcome.CANCEL_REQUESTED)
            held.abort("CANCELED");
        if (outcome === TaskReportOutcome.REFUSED)
            this.#log(`a report about ${held.taskId} was refused: ${message}`);
        if (isOver) {
            held.abort("OUTDATED");
            held.drop();
        }
        const wasLast = isOver || isEnd(event);
        if (wasLast && this.#held.delete(held.task.taskToken) && this.#held.size === 0)
            this.#onIdle?.();
    }
    async #finish(hurry) {
        await this.#untilIdle(this.#options.stopTimeoutMs ?? 30_000, hurry);
        for (const held of this.#held.values())
            held.abort("STOPPING");
        await this.#untilIdle(ABORT_GRACE_MS);
        await this.#session.goodbye(ABORT_GRACE_MS);
    }
    async #untilIdle(timeoutMs, hurry) {
        if (this.#held.size === 0)
            return;
        const late = new AbortController();
        const idle = new Promise((resolve) => {
            this.#onIdle = resolve;
        });
        const signal = hurry === undefined ? late.signal : AbortSignal.any([late.signal, hurry]);
        await Promise.race([idle, sleep(timeoutMs, undefined, { signal }).catch(() => { })]);
        late.abort();
    }
    #log(message) {
        (this.#options.log ?? console.error)(`worker: ${message}`);
    }
}
/** Makes a worker; it connects with {@link Worker.run}. */
export function createWorker(options = {}) {
    return new Worker(options);
}
