/**
 * The session of a worker: registers it, reads its stream, and keeps it alive.
 *
 *   registered → polling → (stream lost → pause → polling, or registered again when the session is gone)
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { WorkerService, } from "../connect/v1.js";
import { toMs } from "./held-task.js";
import { jitter } from "./outbox.js";
const MAX_PAUSE_MS = 2_000;
const CALL_TIMEOUT_MS = 10_000;
/** Errors of a registration that no repetition cures. */
const FINAL = [Code.InvalidArgument, Code.Unauthenticated, Code.PermissionDenied, Code.Unimplemented];
export class Session {
    #parts;
    #client;
    #registered = null;
    #isRegistered = false;
    /** The last attempt to reach the service failed. */
    #isAway = false;
    #poll = new AbortController();
    constructor(parts) {
        this.#parts = parts;
        this.#client = createClient(WorkerService, parts.transport);
    }
    get maxReports() {
        return this.#registered?.maxReports ?? 1;
    }
    get maxOutputBytes() {
        return Number(this.#registered?.maxOutputBytes ?? 0);
    }
    /**
     * Reads the stream, again and again, until the signal aborts. Rejects when the service refuses to register the
     * worker.
     */
    async read(signal) {
        const { receive, sayAlive } = this.#parts;
        for (let failures = 0; !signal.aborted; failures++) {
            this.#poll = new AbortController();
            try {
                if (!this.#isRegistered)
                    await this.#register(signal);
                sayAlive();
                const { sessionId = "" } = this.#registered ?? {};
                for await (const { event } of this.#client.pollTasks({ sessionId }, { signal: this.#poll.signal })) {
                    failures = 0;
                    this.#isAway = false;
                    receive(event);
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
    /** Ends the stream that is being read. */
    close() {
        this.#poll.abort();
    }
    async report(reports) {
        const { sessionId = "" } = this.#registered ?? {};
        return (await this.#client.reportTasks({ sessionId, reports }, { timeoutMs: CALL_TIMEOUT_MS })).results;
    }
    /** Ends the session. Without this the service waits for it to time out. */
    async goodbye(timeoutMs) {
        const { sessionId = "" } = this.#registered ?? {};
        if (this.#isRegistered)
            await this.#client.reportTasks({ sessionId, closing: true }, { timeoutMs }).catch(() => { });
    }
    /** Keeps the session alive until the signal aborts. */
    async beat(signal) {
        while (!signal.aborted) {
            await sleep((toMs(this.#registered?.sessionTimeout) ?? 1_000) / 3, undefined, { signal }).catch(() => { });
            if (signal.aborted || !this.#isRegistered)
                continue;
            this.#parts.sayAlive();
            await this.report([]).catch((error) => {
                if (ConnectError.from(error).code !== Code.NotFound)
                    return;
                this.#isRegistered = false;
                this.close();
            });
        }
    }
    async #register(signal) {
        const worker = this.#parts.worker();
        this.#registered = await this.#client.registerWorker(worker, { signal, timeoutMs: CALL_TIMEOUT_MS });
        this.#isRegistered = true;
        this.#parts.log(`connected, with ${worker.slots} slots for ${worker.handlers?.join(", ")}`);
    }
    #lost(error) {
        if (this.#isRegistered && error.code === Code.NotFound)
            this.#isRegistered = false;
        else if (!this.#isRegistered && FINAL.includes(error.code))
            throw error;
        else if (!this.#isAway)
            this.#parts.log(`the service is away, trying again: ${error.message}`);
        this.#isAway = true;
    }
}
/** Connects to `host:port` or `https://host:port`, with a token or without. */
export function openTransport(address = "localhost:8002", token) {
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
