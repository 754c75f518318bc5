// Uploads that know what has become of them, and the look whether the daemon
// comes to know the same, for the tests of faults.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';

import { pause } from './peer.mjs';

const PIECE_MS = 20;
const LOOK_MS = 100;
const IDS_PER_PROBE = 50;

// Median, 99th percentile and maximum of some times, as text.
export function summary(times) {
    const sorted = [...times].sort((a, b) => a - b);
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

    return sorted.length === 0 ? 'none'
        : `median ${at(0.5).toFixed()}, p99 ${at(0.99).toFixed()}, max ${at(1).toFixed()} ms`;
}

export class Upload {
    // rate: bytes a second, 0 for at once; abortAt: goes away after so many;
    // hold(): while true, the second half is not sent; agent: false for a
    // connection of its own; pauseMs: of a connection that is new, before it is
    // used.
    constructor(url, { id, bytes, rate = 0, abortAt = null, query = '', path = '/upload',
        hold = () => false, agent = false, pauseMs = 0 }) {
        Object.assign(this, { id, bytes, rate, abortAt, hold, agent, pauseMs });
        this.url = `${url}${path}?X-Progress-ID=${id}${query}`;
        this.status = null; // of the response
        this.failure = null; // why there is none
        this.sent = 0;
        this.endedAt = null;
    }

    async run() {
        const began = performance.now();

        try {
            this.status = await this.#exchange();
        } catch (error) {
            this.failure = error.message;
        }
        this.endedAt = performance.now();
        this.took = this.endedAt - began;
        return this;
    }

    #exchange() {
        return new Promise((resolve, reject) => {
            const { request: open } = this.url.startsWith('https:') ? https : http;
            const request = open(this.url, { method: 'POST', agent: this.agent,
                headers: { 'Content-Length': this.bytes } });

            request.on('error', reject);
            request.on('response', (response) => {
                response.on('error', () => {});
                response.on('close', () => resolve(response.statusCode));
                response.resume();
            });
            this.#connected(request).then(() => this.#write(request)).catch(reject);
        });
    }

    async #connected(request) {
        if (this.pauseMs > 0) {
            const [socket] = await once(request, 'socket');

            if (socket.connecting) {
                await once(socket, this.url.startsWith('https:') ? 'secureConnect' : 'connect');
                await pause(this.pauseMs);
            }
        }
    }

    async #write(request) {
        const until = this.abortAt ?? this.bytes;
        const began = performance.now();

        while (this.sent < until && !request.destroyed) {
            const half = this.hold() ? Math.floor(until / 2) : until;
            const due = this.rate === 0 ? until
                : Math.floor((performance.now() - began) / 1000 * this.rate);
            const size = Math.min(due, half) - this.sent;

            if (size > 0) {
                this.sent += size;
                await new Promise((next) => request.write(Buffer.alloc(size, 'x'), next));
            }
            if (this.sent < until) {
                await pause(PIECE_MS); // a rate is kept by pieces, not by single bytes
            }
        }
        if (this.abortAt !== null) {
            request.destroy(new Error('aborted'));
        } else {
            request.end();
        }
    }

    get aborted() {
        return this.failure === 'aborted';
    }
}

// Many IDs in one probe of the detailed output, over one kept connection.
export class Asker {
    constructor(url) {
        this.url = url;
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    }

    // Answers by ID. The status is that of the probe where it is not 200.
    async ask(ids) {
        const answers = new Map();

        for (let at = 0; at < ids.length; at += IDS_PER_PROBE) {
            const some = ids.slice(at, at + IDS_PER_PROBE);
            const { status, text } = await this.get([...some, 'nobody']);

            if (status !== 200) {
                throw new Error(`a probe was answered ${status}`);
            }
            Object.entries(JSON.parse(text)).forEach(([id, answer]) => answers.set(id, answer));
        }
        return answers;
    }

    get(ids) {
        return new Promise((resolve, reject) => {
            const url = `${this.url}/progress/detail?X-Progress-ID=${ids.join()}`;
            const request = http.get(url, { agent: this.agent }, (response) => {
                let text = '';

                response.setEncoding('utf8');
                response.on('data', (chunk) => { text += chunk; });
                response.on('end', () => resolve({ status: response.statusCode, text }));
                response.on('error', reject);
            });

            request.on('error', reject);
        });
    }

    close() {
        this.agent.destroy();
    }
}

// What is wrong with an answer, '' for nothing, where nginx has told the end or
// a worker was killed: then only what has come can be concluded.
export function untrue(upload, answer) {
    const { state, status, received, size, inferred } = answer;
    const look = `${upload.id}: ${state} ${status} ${received} of ${size}`;

    if (upload.status !== null) {
        const good = upload.status < 400
            ? state === 'done' && received === upload.bytes && size === upload.bytes
            : state === 'error';
        return good && status === upload.status ? '' : `${look}, not ${upload.status}`;
    }
    const good = state === 'error' && received <= upload.sent &&
        ((status === 400 && !inferred) || status === 499);
    return good ? '' : `${look}, not ${upload.failure} after ${upload.sent}`;
}

// Looks after uploads until the answer about each is true: when it is so for
// the first time after the end, and at last whether it has stayed so.
export class Resolver {
    constructor(url, faultOf = untrue) {
        this.asker = new Asker(url);
        this.faultOf = faultOf;
        this.uploads = [];
        this.delays = new Map(); // by ID: from the end to the truth, in ms
        this.faults = new Map();
        this.last = null; // answers, once all is over
        this.failure = null; // of the last probe that had no answer
        this.over = false;
        this.looking = this.#look();
    }

    // Runs an upload; it is probed from now on.
    run(upload) {
        this.uploads.push(upload);
        return upload.run();
    }

    get pending() {
        return this.uploads.filter((upload) => !this.delays.has(upload.id));
    }

    // Whether bytes of each of them have been counted.
    async knows(uploads) {
        const answers = await this.asker.ask(uploads.map(({ id }) => id));

        return uploads.every(({ id }) => answers.get(id).received > 0);
    }

    async #look() {
        while (!this.over) {
            await pause(LOOK_MS);
            await this.#once().catch((error) => { this.failure = error.message; });
        }
    }

    async #once() {
        const looked = this.pending;
        const answers = await this.asker.ask(looked.map((upload) => upload.id));

        for (const upload of looked.filter((one) => one.endedAt !== null)) {
            const fault = this.faultOf(upload, answers.get(upload.id));

            this.faults.set(upload.id, fault);
            if (!fault) {
                this.delays.set(upload.id, performance.now() - upload.endedAt);
            }
        }
    }

    // Once all uploads have run. Gives the delays; an error with what is wrong
    // after limitMs.
    async finish(limitMs) {
        const end = performance.now() + limitMs;

        while (this.pending.length > 0 && performance.now() < end) {
            await pause(LOOK_MS);
        }
        this.over = true;
        await this.looking;
        const late = this.pending.map((upload) => this.faults.get(upload.id) ?? upload.id);
        const answers = await this.asker.ask(this.uploads.map((upload) => upload.id));
        this.last = answers;
        const changed = this.uploads
            .filter((upload) => this.delays.has(upload.id))
            .map((upload) => this.faultOf(upload, answers.get(upload.id)))
            .filter(Boolean);
        this.asker.close();
        if (late.length + changed.length > 0) {
            throw new Error(`${late.length} of ${this.uploads.length} not resolved: ` +
                `${late.slice(0, 10).join('; ')}; ${this.failure ?? ''}; ${changed.length} changed: ` +
                `${changed.slice(0, 10).join('; ')}`);
        }
        return [...this.delays.values()];
    }
}

// Probes without end, one at a time: how often each status came, and when.
export class ProbeStream {
    constructor(url, { intervalMs = 20, id = 'nobody' } = {}) {
        Object.assign(this, { intervalMs, id });
        this.asker = new Asker(url);
        this.answers = []; // { status, beganAt, took }
        this.over = false;
        this.running = this.#run();
    }

    async #run() {
        while (!this.over) {
            const beganAt = performance.now();
            const { status } = await this.asker.get([this.id])
                .catch((error) => ({ status: error.message }));

            this.answers.push({ status, beganAt, took: performance.now() - beganAt });
            await pause(this.intervalMs);
        }
    }

    // How often each status came, as text.
    statuses(answers = this.answers) {
        const counts = {};

        answers.forEach(({ status }) => { counts[status] = (counts[status] ?? 0) + 1; });
        return Object.entries(counts).map(([status, count]) => `${count} times ${status}`)
            .join(', ');
    }

    async stop() {
        this.over = true;
        await this.running;
        this.asker.close();
    }
}
