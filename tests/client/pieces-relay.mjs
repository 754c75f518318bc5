// Stands between a client and nginx, knows what has been forwarded: it throttles,
// records each request and its response, holds requests back, cuts connections.
//
//   const relay = await Relay.listen({ port, target: { host, port }, rate });
//   relay.on(...): 'request' (record)         its header is being forwarded
//                  'body' (record, bytes)     of its body, before nginx has them
//                  'sent' (record)            the body is complete
//                  'response' (record)        the whole response has come
//                  'aborted' (record)         the connection ended before
//
// A record's body is counted before its bytes are written, so that nginx never has
// a byte that is not counted.
import { EventEmitter } from 'node:events';
import net from 'node:net';

import { MessageReader } from './pieces-http.mjs';

const TICK_MS = 4;
// Of a client's bytes at most so many wait here; the rest waits at the client.
const QUEUE_MAX = 64 << 10;
// What one connection may forward before the next one has its turn.
const SLICE = 4 << 10;
const RESPONSE_KEPT = 64 << 10;

class Link {
    constructor(relay, client) {
        this.relay = relay;
        this.client = client;
        this.queue = [];
        this.queued = 0;
        this.blocked = false;
        this.closed = false;
        this.waiting = []; // records without a complete response, in order
        this.server = net.connect({ ...relay.target, noDelay: true });
        this.toServer = new MessageReader({
            head: (start, headers) => this.#request(start, headers),
            body: (bytes) => this.#body(bytes),
            end: () => this.#sent(),
        });
        this.toClient = new MessageReader({
            head: (start, headers) => this.#status(start, headers),
            body: (bytes) => this.#answer(bytes),
            end: () => this.#answered(),
        });
        client.setNoDelay(true);
        client.on('data', (bytes) => this.#queue(bytes));
        client.on('error', () => this.close());
        client.on('close', () => this.close());
        client.on('end', () => this.close());
        this.server.on('drain', () => { this.blocked = false; });
        this.server.on('data', (bytes) => {
            // First the client is told, or it would wait for this process's reckoning.
            client.write(bytes);
            this.toClient.feed(bytes);
        });
        this.server.on('error', () => this.close());
        this.server.on('close', () => {
            this.toClient.close();
            this.close();
        });
    }

    #queue(bytes) {
        this.queue.push(bytes);
        this.queued += bytes.length;
        if (this.queued > QUEUE_MAX) {
            this.client.pause();
        }
    }

    #request(start, headers) {
        const [method, url] = start.split(' ');
        const { pathname, search, searchParams } = new URL(url, 'http://relay');

        this.current = {
            link: this, number: this.relay.records.length, at: performance.now(),
            method, url, path: pathname, search, query: Object.fromEntries(searchParams), headers,
            forwarded: 0, sent: false, aborted: false, status: null, response: null, body: '',
        };
        this.relay.records.push(this.current);
        this.waiting.push(this.current);
        this.relay.emit('request', this.current);
    }

    #body(bytes) {
        this.current.forwarded += bytes.length;
        this.relay.emit('body', this.current, bytes);
    }

    #sent() {
        this.current.sent = true;
        this.relay.emit('sent', this.current);
    }

    #status(start, headers) {
        const record = this.waiting[0];

        this.status = Number(start.split(' ')[1]);
        if (this.status < 200 || !record) {
            return 'none';
        }
        record.status = this.status;
        record.response = headers;
        const bare = record.method === 'HEAD' || this.status === 204 || this.status === 304;

        return bare ? 'none' : 'close';
    }

    #answer(bytes) {
        const record = this.waiting[0];

        if (record && record.body.length < RESPONSE_KEPT) {
            record.body += bytes.toString('latin1');
        }
    }

    #answered() {
        if (this.status >= 200 && this.waiting.length > 0) {
            const record = this.waiting.shift();

            record.answeredAt = performance.now();
            this.relay.emit('response', record);
        }
    }

    // Whether there is something to forward, and nothing in the way.
    get ready() {
        return this.queue.length > 0 && !this.blocked && !this.closed &&
            !(this.toServer.between && this.relay.heldUntil > performance.now());
    }

    // Forwards up to max bytes, and says how many.
    forward(max) {
        const [first] = this.queue;
        const slice = first.subarray(0, max);

        if (slice.length === first.length) {
            this.queue.shift();
        } else {
            this.queue[0] = first.subarray(slice.length);
        }
        this.queued -= slice.length;
        if (this.client.isPaused() && this.queued < QUEUE_MAX / 2) {
            this.client.resume();
        }
        this.toServer.feed(slice);
        if (!this.closed) {
            this.blocked = !this.server.write(slice);
        }
        return slice.length;
    }

    // Ends both connections; what has not been forwarded is gone.
    close() {
        if (this.closed) {
            return;
        }
        this.closed = true;
        this.relay.links.delete(this);
        this.client.destroy();
        this.server.destroy();
        for (const record of this.waiting.splice(0)) {
            record.aborted = true;
            record.answeredAt = performance.now();
            this.relay.emit('aborted', record);
        }
    }
}

export class Relay extends EventEmitter {
    // rate: bytes a second of all connections together; 0: no limit.
    static async listen({ port = 0, host = '127.0.0.1', target, rate = 0 }) {
        const relay = new Relay();

        Object.assign(relay, { target, rate, links: new Set(), records: [], heldUntil: 0, credit: 0 });
        relay.server = net.createServer((client) => {
            if (relay.refusing) {
                client.destroy();
            } else {
                relay.links.add(new Link(relay, client));
            }
        });
        await new Promise((done, failed) => {
            relay.server.once('error', failed);
            relay.server.listen(port, host, done);
        });
        relay.port = relay.server.address().port;
        relay.last = performance.now();
        relay.timer = setInterval(() => relay.#tick(), TICK_MS);
        return relay;
    }

    // Lets no further request begin for so long; those that have begun go on.
    hold(ms) {
        this.heldUntil = performance.now() + ms;
    }

    // Ends all connections, and each new one until accept(): what a client has handed to
    // its kernel would otherwise come still when the client itself has long been ended.
    refuse() {
        this.refusing = true;
        for (const link of [...this.links]) {
            link.close();
        }
    }

    accept() {
        this.refusing = false;
    }

    #tick() {
        const now = performance.now();

        // A machine that was busy elsewhere does not make up for it all at once.
        this.credit = this.rate === 0 ? Infinity
            : Math.min(this.credit + this.rate * (now - this.last) / 1000, this.rate / 20);
        this.last = now;
        let moved = true;

        while (moved && this.credit > 0) {
            moved = false;
            for (const link of [...this.links]) {
                if (this.credit > 0 && link.ready) {
                    this.credit -= link.forward(SLICE);
                    // Its next turn is after all others'.
                    if (this.links.delete(link)) {
                        this.links.add(link);
                    }
                    moved = true;
                }
            }
        }
    }

    async close() {
        clearInterval(this.timer);
        for (const link of [...this.links]) {
            link.close();
        }
        await new Promise((done) => { this.server.close(done); });
    }
}
