// Asks for one upload's progress every 20 ms, compares each answer with the oracle.
// An answer is about some moment between question and answer: what had been accepted
// before is the least that it may tell, what had been forwarded after it the most.
//
//   const watch = new Watch({ url, id, upload, oracle, ... });
//   await watch.run()    until stop(); then watch.finish(), then watch.faults
import http from 'node:http';

const INTERVAL_MS = 20;
// Each fault is told once; further ones of its kind are counted.
const SAID_MAX = 3;

function get(agent, url) {
    return new Promise((done, failed) => {
        http.get(url, { agent }, (response) => {
            let text = '';

            response.setEncoding('utf8');
            response.on('data', (part) => { text += part; });
            response.on('end', () => done({ status: response.statusCode, text }));
            response.on('error', failed);
        }).on('error', failed);
    });
}

export class Watch {
    // upload: a function that gives the oracle's upload, or undefined as yet.
    // graceMs: how long nginx's word of a request's end may be on its way.
    // missingEnd: 1 where the ranges' ends are their last byte, 0 where they are the
    // byte after it. mustResume: a resumed_from is due after an interruption.
    // finalMs: how long "done" may take in the end. formMs: until a form's fields are
    // read, which is when nginx has written its beginning: half a second on a quiet
    // machine, as docs/pieces.md says.
    constructor({
        url, id, upload, oracle, graceMs = 250, formMs = 1000, missingEnd = 0, mustResume = false, finalMs = 15000,
    }) {
        Object.assign(this, { url, id, upload, oracle, graceMs, formMs, missingEnd, mustResume, finalMs });
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        this.faults = [];
        this.counts = new Map();
        this.received = 0;
        this.readings = 0;
        this.seen = { states: new Set(), phases: new Set(), received: new Set() };
        this.wasDone = false;
        this.stopped = false;
    }

    fault(kind, text, answer) {
        const count = (this.counts.get(kind) ?? 0) + 1;

        this.counts.set(kind, count);
        if (count <= SAID_MAX) {
            this.faults.push(`${this.id}: ${kind}: ${text}: ${JSON.stringify(answer)}`);
        }
    }

    async ask() {
        const asked = performance.now();
        const upload = this.upload();
        // Later ones must not count as known before the question.
        const before = upload && {
            ...upload.acceptedAt(asked - this.graceMs),
            begun: upload.begunAt <= asked - this.graceMs && upload.acceptedAt(asked - this.graceMs).pieces > 0,
            total: upload.knownAt <= asked - this.graceMs,
            resumed: upload.resumedAt <= asked - this.graceMs,
        };
        const reply = await get(this.agent, `${this.url}/progress/detail?X-Progress-ID=${encodeURIComponent(this.id)}`);

        this.readings++;
        if (reply.status !== 200) {
            this.fault('status', `the probe's status is ${reply.status}`, reply.text);
            return null;
        }
        const answer = JSON.parse(reply.text);

        this.judge(answer, before, this.upload(), performance.now());
        return answer;
    }

    judge(answer, before, upload, now) {
        this.seen.states.add(answer.state);
        this.seen.phases.add(answer.phase);
        this.seen.received.add(answer.received);
        this.judgeState(answer, before, upload, now);
        if (answer.state === 'starting') {
            return;
        }
        if (answer.received < this.received) {
            this.fault('falls', `received was ${this.received}`, answer);
        }
        this.received = Math.max(this.received, answer.received);
        if (upload) {
            this.judgeReceived(answer, before, upload, now);
            this.judgeSize(answer, before, upload);
            this.judgePieces(answer, before, upload);
        }
    }

    judgeState(answer, before, upload, now) {
        if (this.wasDone && answer.state !== 'done') {
            this.fault('undone', 'it was done before', answer);
        }
        if (answer.state === 'starting') {
            if (before?.begun || this.received > 0) {
                this.fault('forgotten', 'it has begun', answer);
            }
        } else if (answer.state === 'uploading') {
            if (!['receiving', 'waiting', 'processing'].includes(answer.phase)) {
                this.fault('phase', 'neither receiving nor waiting nor processing', answer);
            } else if (answer.phase === 'processing' && !this.#allForwarded(upload)) {
                this.fault('phase', 'processing before all bytes are here', answer);
            }
        } else if (answer.state === 'done') {
            this.wasDone = true;
            this.judgeDone(answer, upload, now);
            this.#settleDoubt(upload, now);
        } else {
            this.fault('state', 'neither uploading nor done', answer);
        }
    }

    // Bytes that came in a piece that failed are to come again.
    #allForwarded(upload) {
        return Boolean(upload) && upload.present(performance.now(), 0).size >= this.#total(upload);
    }

    // Of a file that is a part, the part's own; else the file's.
    #total(upload) {
        return upload.total ?? this.oracle.file.length;
    }

    judgeDone(answer, upload, now) {
        if (!this.#allForwarded(upload)) {
            this.fault('early', 'done before the last missing byte', answer);
        } else if (answer.received !== this.#total(upload)) {
            this.fault('early', 'done, and not all received', answer);
        } else if (upload.had < this.#total(upload)) {
            this.doubtful ??= { now, answer };
        }
    }

    // The last response may be in this process's queue still: it is looked for again.
    #settleDoubt(upload, now) {
        if (this.doubtful && now - this.doubtful.now > this.graceMs) {
            if (upload.had < this.#total(upload)) {
                this.fault('early', 'done before the last piece was accepted', this.doubtful.answer);
            }
            this.doubtful = null;
        }
    }

    judgeReceived(answer, before, upload, now) {
        const upper = upload.upper(now, this.graceMs);
        const lower = before?.accepted.size ?? 0;

        if (answer.received > upper) {
            this.fault('ahead', `${upper} were forwarded`, answer);
        }
        if (answer.received < lower) {
            this.fault('behind', `${lower} had been accepted`, answer);
        }
    }

    judgeSize(answer, before, upload) {
        const total = upload.total;

        // The daemon may have read the response before the relay's reader has.
        if (total === null && answer.size <= this.oracle.file.length) {
            return;
        }
        // How many parts there will be, nobody says before they are joined.
        if (upload.parts && answer.size === upload.announced) {
            return;
        }
        if (answer.size === null ? before?.total || answer.state === 'done' : answer.size !== total) {
            this.fault('size', `the total is ${total}`, answer);
        }
    }

    judgePieces(answer, before, upload) {
        const { pieces } = answer;

        // Of a form it is not known before its fields have been read.
        if (pieces === null && answer.size === null && answer.elapsed * 1000 < this.formMs) {
            return;
        }
        if (!pieces || typeof pieces !== 'object') {
            this.fault('pieces', 'there are none', answer);
            return;
        }
        const begun = upload.pieces.length;

        if (!Number.isInteger(pieces.received) || pieces.received > begun || pieces.received < (before?.pieces ?? 0)) {
            this.fault('pieces', `received: ${before?.pieces ?? 0} had been accepted, ${begun} have begun`, answer);
        }
        this.judgeResumed(answer, before, upload);
        if (answer.size !== null && !upload.parts) {
            this.judgeMissing(answer, before, upload);
        }
    }

    judgeResumed(answer, before, upload) {
        const from = answer.pieces.resumed_from;

        if (from === null || from === undefined) {
            if (from === undefined || (this.mustResume && before?.resumed)) {
                this.fault('resumed', `resumed from ${upload.resumable}`, answer);
            }
        } else if (!upload.parts && !upload.resumable.includes(from)) {
            // Of parts the daemon knows the order of their creation alone.
            this.resumedDoubt ??= { from, answer, now: performance.now() };
        } else {
            this.resumedDoubt = null; // the piece from there was refused
        }
        this.#settleResumed(upload);
    }

    // The relay's reader may see a piece begin, or break off, later than nginx has.
    #settleResumed(upload) {
        const doubt = this.resumedDoubt;

        if (doubt && upload.resumable.includes(doubt.from)) {
            this.resumedDoubt = null;
        } else if (doubt && performance.now() - doubt.now > this.graceMs) {
            this.fault('resumed', `resumed from ${upload.resumable.join(', ') || 'nowhere'}`, doubt.answer);
            this.resumedDoubt = null;
        }
    }

    judgeMissing(answer, before, upload) {
        const list = answer.pieces.missing.map(([begin, end]) => [begin, end + this.missingEnd]);
        let at = -1;
        let bytes = 0;

        for (const [begin, end] of list) {
            if (begin <= at || end <= begin || end > answer.size) {
                this.fault('missing', 'the ranges are not in order', answer);
                return;
            }
            // Touching ranges are one.
            at = end;
            bytes += end - begin;
            if (before?.accepted.touches(begin + upload.base, end + upload.base)) {
                this.fault('missing', `${JSON.stringify(before.accepted.list)} had been accepted`, answer);
            }
        }
        const forwarded = upload.forwarded.copy().addAll(upload.stored)
            .addAll(upload.present(performance.now(), this.graceMs));
        let present = 0;

        for (const end of [...list, [answer.size, answer.size]]) {
            if (!forwarded.covers(present + upload.base, end[0] + upload.base)) {
                this.fault('missing', `${JSON.stringify(upload.forwarded.list)} were forwarded`, answer);
            }
            [, present] = end;
        }
        if (bytes > answer.size - answer.received && answer.state === 'done') {
            this.fault('missing', 'done, and something is missing', answer);
        }
    }

    async run() {
        while (!this.stopped) {
            const next = performance.now() + INTERVAL_MS;

            await this.ask();
            await new Promise((done) => { setTimeout(done, Math.max(0, next - performance.now())); });
        }
    }

    stop() {
        this.stopped = true;
    }

    // After the run: the last answer is "done", with all bytes.
    async finish() {
        const end = performance.now() + this.finalMs;
        let answer;

        do {
            answer = await this.ask();
            if (answer?.state === 'done' && !this.doubtful) {
                break;
            }
            await new Promise((done) => { setTimeout(done, 50); });
        } while (performance.now() < end);
        if (answer?.state !== 'done') {
            this.fault('end', 'not done', answer);
        } else {
            const total = this.#total(this.upload());

            if (answer.received !== total || answer.size !== total || answer.percent !== 100) {
                this.fault('end', `the total is ${total}`, answer);
            }
        }
        this.agent.destroy();
    }
}
