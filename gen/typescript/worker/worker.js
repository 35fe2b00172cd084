/**
 * A worker: takes tasks from queues, does them with its handlers, and reports what became of them.
 *
 *   registered → polling → (stream lost → pause → polling, or registered again when the session is gone)
 *   stopping: no new tasks → handlers may end → what still runs is aborted and handed back → stopped
 */
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { TaskReportOutcome, WorkerService, } from "../connect/v1.js";
import { callHandler, toHandedBack } from "./call-handler.js";
import { HeldTask, isEnd, toMs } from "./held-task.js";
import { jitter, Outbox } from "./outbox.js";
const MAX_PAUSE_MS = 2_000;
const CALL_TIMEOUT_MS = 10_000;
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
/** Errors of a registration that no repetition cures. */
const FINAL = [Code.InvalidArgument, Code.Unauthenticated, Code.PermissionDenied, Code.Unimplemented];
/** See the top of the file. */
export class Worker {
    #options;
    #client;
    #handlers = new Map();
    #held = new Map();
    #outbox;
    #stop = new AbortController();
    #session = null;
    #isRegistered = false;
    /** The last attempt to reach the service failed. */
    #isAway = false;
    #poll = new AbortController();
    #onIdle = null;
    constructor(options) {
        this.#options = options;
        this.#client = createClient(WorkerService, options.transport ?? openTransport(options));
        this.#outbox = new Outbox({
            send: (reports) => this.#report(reports),
            maxReports: () => this.#session?.maxReports ?? 1,
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
     * Works until SIGINT, SIGTERM, `signal`, or {@link Worker.stop}, then stops: it takes no new tasks, waits for its handlers, and
     * hands back what they do not finish. A second SIGINT or SIGTERM aborts them at once. Rejects when the service refuses to
     * register the worker; a service that is away is waited for.
     */
    async run({ signal } = {}) {
        const hurry = new AbortController();
        const stop = () => (this.#stop.signal.aborted ? hurry.abort() : this.stop());
        process.on("SIGINT", stop).on("SIGTERM", stop);
        signal?.addEventListener("abort", stop);
        if (signal?.aborted === true)
            stop();
        const ended = new AbortController();
        const beating = this.#beat(ended.signal);
        try {
            await this.#takeTasks();
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
        // What is on its way is handed back, and what is here acknowledged, before the stream closes: neither counts as lost.
        setTimeout(() => this.#poll.abort(), FAREWELL_MS);
    }
    async #takeTasks() {
        const { signal } = this.#stop;
        for (let failures = 0; !signal.aborted; failures++) {
            this.#poll = new AbortController();
            try {
                if (!this.#isRegistered)
                    await this.#register();
                this.#sayAlive();
                const { sessionId = "" } = this.#session ?? {};
                for await (const { event } of this.#client.pollTasks({ sessionId }, { signal: this.#poll.signal })) {
                    failures = 0;
                    this.#isAway = false;
                    if (event.case === "task")
                        this.#begin(event.value);
                    else if (event.case === "cancellation")
                        this.#held.get(event.value.taskToken)?.abort("CANCELED");
                    else if (event.case === "drain")
                        this.#drain(event.value.reason);
                }
            }
            catch (error) {
                if (signal.aborted)
                    return;
                this.#lost(ConnectError.from(error));
            }
            if (!signal.aborted)
                await sleep(jitter(failures, MAX_PAUSE_MS), undefined, { signal }).catch(() => { });
        }
    }
    #drain(reason) {
        this.#log(`an operator drains this worker: ${reason}`);
        this.stop();
    }
    async #register() {
        const { name = `${hostname()}/${process.pid}`.slice(0, 128), queues = [], slots = 10 } = this.#options;
        const { labels = {}, buildId = "" } = this.#options;
        const handlers = [...this.#handlers.keys()];
        const worker = { name, queues: [...queues], slots, labels, buildId, handlers, sdk: "typescript/0.1.0" };
        const options = { signal: this.#stop.signal, timeoutMs: CALL_TIMEOUT_MS };
        this.#session = await this.#client.registerWorker(worker, options);
        this.#isRegistered = true;
        this.#log(`connected, with ${slots} slots for ${handlers.join(", ")}`);
    }
    #lost(error) {
        if (this.#isRegistered && error.code === Code.NotFound)
            this.#isRegistered = false;
        else if (!this.#isRegistered && FINAL.includes(error.code))
            throw error;
        else if (!this.#isAway)
            this.#log(`the service is away, trying again: ${error.message}`);
        this.#isAway = true;
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
        held.end(await callHandler(held, handler, Number(this.#session?.maxOutputBytes ?? 0)));
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
    async #report(reports, closing = false) {
        const sessionId = this.#session?.sessionId ?? "";
        const options = { timeoutMs: closing ? ABORT_GRACE_MS : CALL_TIMEOUT_MS };
        return (await this.#client.reportTasks({ sessionId, reports, closing }, options)).results;
    }
    /** Says of everything that it is alive: the owner of a run may be another one now, and knows nothing yet. */
    #sayAlive() {
        for (const held of this.#held.values())
            held.heartbeat();
    }
    /** Keeps the session alive. */
    async #beat(signal) {
        while (!signal.aborted) {
            await sleep((toMs(this.#session?.sessionTimeout) ?? 1_000) / 3, undefined, { signal }).catch(() => { });
            if (signal.aborted || !this.#isRegistered)
                continue;
            this.#sayAlive();
            await this.#report([]).catch((error) => {
                if (ConnectError.from(error).code !== Code.NotFound)
                    return;
                this.#isRegistered = false;
                this.#poll.abort();
            });
        }
    }
    async #finish(hurry) {
        await this.#untilIdle(this.#options.stopTimeoutMs ?? 30_000, hurry);
        for (const held of this.#held.values())
            held.abort("STOPPING");
        await this.#untilIdle(ABORT_GRACE_MS);
        // Goodbye. Without it the service waits for the session to time out.
        if (this.#isRegistered)
            await this.#report([], true).catch(() => { });
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
function openTransport({ address = "localhost:8002", token }) {
    const authorize = (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
    };
    return createGrpcTransport({
        baseUrl: /^https?:/.test(address) ? address : `http://${address}`,
        // A connection that died without a word is noticed.
        pingIntervalMs: 15_000,
        acceptCompression: [],
        interceptors: token === undefined ? [] : [authorize],
    });
}
