// Uploads in stages: sends an exactly known part, pauses, and probes; so until
// all is sent. Then looks how the end is told, and what the backend has got
// (see app-protocols.mjs). Usage: stages.mjs URL BACKEND_URL PLACE...
//
// Each PLACE is a string of words, NAME=VALUE; they are uploaded to all at once:
//
//   path      of the upload, with a query if any; required
//   id        of the upload (the path's letters and digits); sent in the query,
//             with in=header in a header
//   method    POST          host     the Host header
//   size      600000        stages   where to pause: 200000,400000
//   http      1.1, 1.0 or 2 chunked  1: without Content-Length
//   auth      USER:PASSWORD expect   1: sends Expect: 100-continue, and waits
//   proxy     1: a line of the PROXY protocol comes first
//   url       another one than URL
//   live      what probes tell in the pauses:
//               exact    uploading, as many bytes as were sent (default)
//               near     uploading, at most 64 KiB behind, never ahead
//               file     the same, but the size is not told yet
//               nothing  uploading, without a count
//               unknown  starting: nothing was told
//               over     the end: the answer came early
//   early     the answer comes in the first pause: "send" the rest
//             nevertheless, "stop" there, or "close" the connection
//   response  what the client gets (200)
//   told      status told in the end (as response); the state follows from it.
//             "inferred": nginx does not tell it, the daemon concludes
//             that it is done once the client has closed the connection
//   pending   1: the answer takes long to end, and nothing is told before
//   received  told in the end (size); "any": not ahead of what was sent
//   known     size told in the end, "null" for none (size)
//   zone      that tracks it (uploads)
//   processing  1: once all is sent, and before the answer, probes tell so
//   backend   requests that the backends got with the ID (1)
//   body      bytes that each of them brought (size), or "any"
import { parse, RawClient, StreamClient } from './stages-clients.mjs';
import { pause, poll } from './peer.mjs';
import { Prober } from './probe.mjs';

const LOOKS = 5; // probes in each pause
const LOOK_MS = 20;
const BEHIND_BYTES = 65536;
const PATIENCE_MS = 20000;

class Upload {
    constructor(place) {
        this.place = place;
        this.prober = new Prober(url);
        this.client = place.http === '2' ? new StreamClient(place) : new RawClient(place);
        this.sent = 0;
        this.highest = 0;
        this.faults = [];
    }

    fault(text) {
        this.faults.push(`${this.place.path}: ${text}`);
    }

    expect(what, got, wanted) {
        if (wanted !== 'any' && String(got) !== String(wanted)) {
            this.fault(`${what} is ${got}, not ${wanted}`);
        }
    }

    // One answer, which must hold at any time before the end.
    async look() {
        const answer = await this.prober.probe(this.place.id);

        if (answer.received > this.sent) {
            this.fault(`ahead: ${answer.received} received, ${this.sent} sent`);
        }
        if (answer.received < this.highest) {
            this.fault(`fell from ${this.highest} to ${answer.received}`);
        }
        this.highest = Math.max(this.highest, answer.received);
        return answer;
    }

    #isLive({ state, received, size }) {
        const sizeKnown = this.place.chunked ? size === null : size === this.place.size;
        const isNear = received >= this.sent - BEHIND_BYTES;

        switch (this.place.live) {
        case 'exact':
            return state === 'uploading' && sizeKnown && received === this.sent;
        case 'near':
            return state === 'uploading' && sizeKnown && isNear;
        case 'file':
            return state === 'uploading' && size === null && isNear;
        case 'nothing':
            return state === 'uploading' && received === 0;
        case 'over':
            return state === (this.place.told < 400 ? 'done' : 'error');
        case 'unknown':
            return state === 'starting' && received === 0;
        default:
            throw new Error(`live=${this.place.live}`);
        }
    }

    // The probes tell what they should, and go on to tell it.
    async pause(at) {
        let answer;

        await poll(`${this.place.path}: live=${this.place.live} at ${at}`, async () => {
            answer = await this.look();
            return this.#isLive(answer) || this.client.isClosed;
        }, PATIENCE_MS).catch((error) => {
            throw new Error(`${error.message}: ${JSON.stringify(answer)}`);
        });
        for (let i = 0; i < LOOKS; i++) {
            await pause(LOOK_MS);
            answer = await this.look();
            if (!this.#isLive(answer)) {
                this.fault(`at ${at}: ${JSON.stringify(answer)}`);
                return;
            }
        }
    }

    send(upTo) {
        this.client.write(Buffer.alloc(upTo - this.sent, 'x'));
        this.sent = upTo;
    }

    async answered() {
        await this.client.until(() => this.client.status !== null || this.client.isClosed,
            PATIENCE_MS);
        this.expect('response', this.client.status, this.place.response);
    }

    async #body() {
        const { stages, early, size } = this.place;

        for (const at of stages) {
            this.send(at);
            if (early !== undefined) {
                await this.answered();
            }
            await this.pause(at);
            if (early === 'stop') {
                return;
            }
            if (early === 'close') {
                this.client.close();
                return;
            }
        }
        this.send(size);
        this.client.end();
        if (this.place.processing) {
            await this.#processing();
        }
        if (early === undefined) {
            await this.answered();
        }
    }

    async run() {
        const { expect, early } = this.place;

        await this.client.begin();
        if (expect !== undefined) {
            await this.client.until(() => this.client.status !== null || this.client.goesOn,
                PATIENCE_MS);
        }
        if (expect !== undefined && !this.client.goesOn) {
            await this.answered(); // without a single byte of the body
            if (early === 'close') {
                this.client.close();
            }
        } else {
            await this.#body();
        }
        await this.#end();
        this.client.close();
        await this.#atBackend();
        this.prober.close();
    }

    // The backend works: all has been received.
    async #processing() {
        let answer;

        await poll(`${this.place.path}: processing`, async () => {
            answer = await this.look();
            return answer.phase === 'processing' || this.client.status !== null;
        }, PATIENCE_MS);
        this.expect('phase', answer.phase, 'processing');
        this.expect('received', answer.received, this.place.size);
    }

    async #end() {
        const { told, known, received, zone, pending } = this.place;
        const inferred = told === 'inferred';
        let last;

        if (inferred) {
            this.client.close();
        }
        await poll(`${this.place.path}: the end`, async () => {
            last = await this.look();
            if (pending && last.state !== 'uploading' && !this.client.isComplete) {
                this.fault(`the answer has not ended: ${JSON.stringify(last)}`);
            }
            return last.state === 'done' || last.state === 'error';
        }, PATIENCE_MS).catch((error) => {
            throw new Error(`${error.message}: ${JSON.stringify(last)}`);
        });
        this.expect('state', last.state, inferred || told < 400 ? 'done' : 'error');
        this.expect('status', last.status, inferred ? null : told);
        this.expect('received', last.received, received);
        this.expect('size', last.size, known);
        this.expect('zone', last.zone, zone);
        // An end that nginx has told, not one that was made up for.
        this.expect('inferred', last.inferred, inferred);
    }

    async #atBackend() {
        const { id, backend, body } = this.place;
        const isRight = (entry) => body === 'any' || entry.bytes === body;
        const got = async () => (await fetch(`${backendUrl}/journal?id=${id}`)).json();

        await poll(`${this.place.path}: the backend`, async () =>
            (await got()).every(isRight), PATIENCE_MS).catch(() => {});
        const entries = await got();
        if (entries.length !== backend || !entries.every(isRight)) {
            this.fault(`the backend got ${JSON.stringify(entries)}, not ${backend} with ${body}`);
        }
    }
}

async function run(words) {
    const upload = new Upload(parse(words, url));

    try {
        await upload.run();
    } catch (error) {
        upload.fault(error.message);
    }
    upload.faults.slice(0, 5).forEach((fault) => console.log(`FAULT: ${fault}`));
    return upload.faults.length;
}

const [url, backendUrl, ...places] = process.argv.slice(2);
const faults = await Promise.all(places.map(run));

process.exit(faults.some((count) => count > 0) ? 1 : 0);
