// Probes an upload while it runs and checks every answer against what the
// client had sent by then.
import { unreadBytes } from './queue.mjs';

const INTERVAL_MS = 50;

// What nginx and the client's own stack may hold besides the kernel's queues:
// client_body_buffer_size, header buffer, TLS or HTTP/2 frames under way.
export const BUFFERS_BYTES = 64 * 1024;

export class Watch {
    // limits: { bytes: how far received may trail beyond the unread bytes,
    // share: and by what part of what was sent, gauge: expected, lag: false to
    // check only that it is never ahead, whole: false where it may trail once all
    // was sent, interval: ms between probes }
    constructor(prober, id, body, connection, limits = {}) {
        Object.assign(this, { prober, id, body, connection });
        this.limits = { bytes: BUFFERS_BYTES, share: 0, lag: true, whole: true,
            interval: INTERVAL_MS, ...limits };
        this.samples = [];
        this.faults = [];
        this.highest = 0;
        this.began = Date.now() / 1000 - 0.05;
    }

    // Probes until stop() is called.
    async run() {
        this.running = true;
        while (this.running) {
            await this.#sample();
            await new Promise((next) => setTimeout(next, this.limits.interval));
        }
    }

    stop() {
        this.running = false;
    }

    async #sample() {
        const accepted = this.body.accepted;
        const unreadBefore = this.#unread();
        const answer = await this.prober.probe(this.id);
        const submitted = this.body.submitted;
        const unread = Math.max(unreadBefore, this.#unread());

        this.samples.push({ ...answer, accepted, submitted, unread });
        this.#check(answer, accepted, submitted, unread);
    }

    #unread() {
        return this.limits.lag ? unreadBytes(this.connection) : 0;
    }

    #check(answer, accepted, submitted, unread) {
        const { received, size, state } = answer;

        // Until the start is known an ID that was used before has its old answer.
        if (state === 'starting' || answer.started < this.began) {
            return;
        }
        if (received > submitted) {
            this.faults.push(`ahead: ${received} received, ${submitted} sent`);
        }
        if (received < this.highest) {
            this.faults.push(`fell: from ${this.highest} to ${received}`);
        }
        if (size !== null && (size !== this.body.bytes || received > size)) {
            this.faults.push(`size ${size} received ${received} of ${this.body.bytes}`);
        }
        this.highest = Math.max(this.highest, received);
        const allowed = unread + this.limits.bytes + this.body.largestPiece +
            accepted * this.limits.share;
        const checked = this.limits.lag &&
            (this.limits.whole || accepted < this.body.bytes);
        if (checked && state === 'uploading' && received < accepted - allowed) {
            this.faults.push(`behind: ${received} of ${accepted} accepted, ${unread} unread`);
        }
    }

    // Answers while it was under way that show real progress.
    get moving() {
        return new Set(this.samples.filter((s) => s.state === 'uploading' && s.received > 0)
            .map((s) => s.received)).size;
    }

    // Where the start is told late, the file is all that it shows by until then.
    gauges() {
        const told = this.samples.filter((s) => s.state === 'uploading' && s.protocol);

        return [...new Set((told.length > 0 ? told : this.samples).map((s) => s.gauge))];
    }
}
