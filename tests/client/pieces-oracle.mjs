// What is true of a file that is sent in pieces, from what the relay has forwarded.
// It knows the file itself, so each byte that passes by is compared with the byte
// that the protocol says it is: a wrong understanding of a protocol is a fault.
//
//   const oracle = new Oracle({ relay, protocol, file, prefix, pieceBytes });
//   oracle.upload(key)  one file; without a key all requests are of one file, as
//                       where each carries the same progress ID
import { EventEmitter } from 'node:events';

import { MultipartReader } from './pieces-http.mjs';
import { PROTOCOLS } from './pieces-protocols.mjs';
import { Ranges } from './pieces-ranges.mjs';

// Long enough that no other place in a file of random bytes begins so.
const FINGERPRINT = 16;

// One file, or what has the same progress ID.
class Upload {
    constructor(key, name) {
        this.key = key;
        this.name = name;
        this.accepted = new Ranges();
        this.stored = new Ranges(); // what the server says it has when asked
        this.history = [{ at: -Infinity, accepted: new Ranges(), pieces: 0 }];
        this.running = new Set(); // pieces without an answer
        this.failed = []; // pieces without a good one, with the time of their end
        this.forwarded = new Ranges();
        this.pieces = [];
        this.high = 0;
        this.total = null; // told by a request
        this.totalAt = Infinity; // since when
        this.knownAt = Infinity; // since when whoever sees the requests must know it
        this.parts = false; // bytes come as several files, to be joined
        this.announced = 0; // the sum of the parts' lengths so far
        this.base = 0; // where it lies in the file, if it is a part of it
        this.interruptedAt = Infinity;
        this.resumedAt = Infinity; // when a piece after an interruption was accepted
        this.resumable = []; // where pieces after an interruption began
        this.begunAt = Infinity;
        this.joinedAt = Infinity;
    }

    tellTotal(total, now) {
        if (total !== null && total !== undefined && !this.parts) {
            this.total = total;
            this.totalAt = Math.min(this.totalAt, now);
        }
    }

    accept(ranges, now) {
        for (const [begin, end] of ranges) {
            this.accepted.add(begin, end);
        }
        this.history.push({ at: now, accepted: this.accepted.copy(),
            pieces: this.pieces.filter((piece) => piece.accepted).length });
    }

    // The bytes that a server which knows of failures after grace ms counts at most.
    present(now, grace) {
        const all = this.accepted.copy().addAll(this.stored);

        for (const piece of this.running) {
            all.add(piece.begin, piece.begin + piece.sent + (piece.reader?.pending ?? 0));
        }
        this.failed = this.failed.filter(({ at }) => now - at < grace);
        for (const { piece } of this.failed) {
            all.add(piece.begin, piece.begin + piece.sent + (piece.reader?.pending ?? 0));
        }
        return all;
    }

    // How much has been present at most, ever: what was said cannot be taken back.
    upper(now, grace) {
        this.high = Math.max(this.high, this.present(now, grace).size);
        return this.high;
    }

    // How many bytes the server has told that it has.
    get had() {
        return this.accepted.copy().addAll(this.stored).size;
    }

    // What had been accepted by then.
    acceptedAt(time) {
        return this.history.findLast(({ at }) => at <= time);
    }
}

export class Oracle extends EventEmitter {
    // prefix: only requests to paths that begin so. pieceBytes: the client's setting,
    // for protocols that tell the number of a piece and not its size. grace: see Upload.
    constructor({ relay, protocol, file, prefix = '/upload', pieceBytes, single = true, grace = 250 }) {
        super();
        Object.assign(this, { file, prefix, pieceBytes, single, grace, faults: [] });
        this.protocol = PROTOCOLS[protocol];
        this.uploads = new Map();
        this.faulty = new Set();
        this.repeated = new Ranges(); // bytes sent that had been accepted
        this.told = new Map(); // record -> what it says
        this.partials = new Set(); // keys of files that are to be joined
        this.bases = new Map(); // where they lie
        for (const event of ['request', 'body', 'sent', 'response', 'aborted']) {
            relay.on(event, (record, bytes) => {
                if (record.path.startsWith(this.prefix)) {
                    this[event](record, bytes);
                }
            });
        }
    }

    // A request that is misunderstood once is so all the time: that is told once.
    fault(record, text) {
        if (this.faulty.has(record)) {
            return;
        }
        this.faulty.add(record);
        this.faults.push(`request ${record.number} (${record.method} ${record.url}): ${text}`);
    }

    upload(key) {
        return this.uploads.get(this.single ? '' : key);
    }

    #uploadOf(told) {
        const name = this.single ? '' : told.key ?? told;

        if (!this.uploads.has(name)) {
            this.uploads.set(name, new Upload(told.key, name));
        }
        return this.uploads.get(name);
    }

    // Bytes of a piece can be counted once it is known where it belongs.
    #place(record, told) {
        if (told.beginInPieces !== undefined) {
            told.begin = told.beginInPieces * this.pieceBytes;
        }
        if (told.upload || !['create', 'piece'].includes(told.kind)) {
            return;
        }
        const upload = this.#uploadOf(told);

        told.upload = upload;
        upload.key ??= told.key;
        upload.begunAt = Math.min(upload.begunAt, record.at);
        upload.parts ||= this.single && Boolean(told.partial);
        upload.tellTotal(told.last ? this.file.length : told.total, performance.now());
        this.emit('upload', upload);
    }

    #begin(told, bytes) {
        const { upload } = told;

        // A part's offsets are its own: where it lies in the file, its bytes say.
        if (told.partial || this.partials.has(told.key)) {
            if (told.begin === 0 && bytes.length >= FINGERPRINT) {
                told.base = this.file.indexOf(bytes.subarray(0, FINGERPRINT));
                this.bases.set(told.key, told.base);
            }
            upload.base = this.single ? 0 : this.bases.get(told.key) ?? 0;
        }
        told.begin += this.bases.get(told.key) ?? 0;
        told.sent = 0;
        upload.pieces.push(told);
        upload.running.add(told);
        if (told.at >= upload.interruptedAt) {
            told.resumes = true;
            upload.resumable.push(told.begin - upload.base);
        }
    }

    request(record) {
        const told = { ...this.protocol.request(record), at: record.at };

        this.told.set(record, told);
        if (/^multipart\//.test(record.headers['content-type'] ?? '')) {
            const fields = {};

            Object.assign(told, { earlier: [], later: [] });
            told.reader = new MultipartReader(record.headers['content-type'], {
                field: (name, value) => {
                    fields[name] = value;
                    (told.fields ? told.later : told.earlier).push(name);
                },
                file: (name) => {
                    if (this.protocol.fields) {
                        Object.assign(told, this.protocol.fields(told, fields));
                    }
                    told.fields = fields;
                    told.fileField = name;
                    this.#place(record, told);
                },
                data: (bytes) => this.#data(record, told, bytes),
            });
        }
        if (told.key !== undefined || told.kind === 'create') {
            this.#place(record, told);
        }
    }

    #data(record, told, bytes) {
        if (!told.upload || told.begin === undefined || told.begin === null) {
            if (told.kind === 'piece') {
                this.fault(record, 'bytes come before it is known where they belong');
            }
            return;
        }
        if (told.sent === undefined) {
            this.#begin(told, bytes);
        }
        const begin = told.begin + told.sent;

        if (told.upload.accepted.covers(begin, begin + bytes.length)) {
            this.repeated.add(begin, begin + bytes.length);
        }
        told.sent += bytes.length;
        told.upload.forwarded.add(begin, begin + bytes.length);
        if (!this.file.subarray(begin, begin + bytes.length).equals(bytes)) {
            this.fault(record, `bytes ${begin} to ${begin + bytes.length} are not those of the file`);
        }
        told.upload.upper(performance.now(), this.grace);
        // A body that nginx has at once is told at its end alone.
        if (told.upload.total !== null && told.total !== null && !told.reader &&
            !(Number(record.headers['content-length']) < 8000)) {
            told.upload.knownAt = Math.min(told.upload.knownAt, performance.now());
        }
    }

    body(record, bytes) {
        const told = this.told.get(record);

        if (told.reader) {
            told.reader.feed(bytes);
        } else {
            this.#data(record, told, bytes);
        }
    }

    sent(record) {
        const told = this.told.get(record);

        if (told.last && told.begin + told.sent !== this.file.length) {
            this.fault(record, `the last piece ends at ${told.begin + told.sent}`);
        }
    }

    // The upload's own name, once the answer to its creation has told it.
    #rename(told, key) {
        const { upload } = told;

        told.key = key;
        upload.key = key;
        if (told.partial) {
            upload.announced += told.total ?? 0;
            this.partials.add(key);
            this.bases.set(key, told.base ?? 0);
        }
        if (!this.single) {
            this.uploads.delete(upload.name);
            upload.name = key;
            this.uploads.set(key, upload);
        }
        this.emit('named', upload);
    }

    #join(record, told, answer, now) {
        if (!answer.accepted) {
            return;
        }
        const parts = told.parts.map((key) => this.upload(key));
        const upload = this.single ? parts[0] : this.#uploadOf({ key: answer.key });

        upload.key = answer.key;
        upload.parts = false;
        upload.begunAt = Math.min(upload.begunAt, record.at);
        upload.joinedAt = now;
        upload.tellTotal(this.file.length, now);
        upload.knownAt = now;
        for (const part of parts) {
            if (part !== upload) {
                upload.pieces.push(...part.pieces);
            }
            upload.forwarded.addAll(part.forwarded);
            upload.stored.addAll(part.stored);
        }
        upload.accept(parts.flatMap((part) => part.accepted.list), now);
        upload.upper(now, this.grace);
        this.emit('named', upload);
    }

    response(record) {
        const told = this.told.get(record);
        const now = performance.now();
        const answer = this.protocol.response(record, told);

        if (told.kind === 'join') {
            this.#join(record, told, answer, now);
            return;
        }
        const upload = told.upload ?? (told.key === undefined ? undefined : this.upload(told.key));

        if (!upload) {
            return;
        }
        if (told.kind === 'create' && answer.accepted && answer.key) {
            this.#rename(told, answer.key);
        }
        if (['create', 'piece'].includes(told.kind) && upload.total !== null) {
            upload.knownAt = Math.min(upload.knownAt, now);
        }
        this.#settle(record, told, upload, answer, now);
    }

    #settle(record, told, upload, answer, now) {
        const base = this.bases.get(told.key) ?? 0;
        const stored = answer.stored?.map(([begin, end]) => [begin + base, end + base]);

        for (const [begin, end] of stored ?? []) {
            upload.stored.add(begin, end);
        }
        if (told.kind === 'offset' && stored) {
            upload.tellTotal(answer.total, now);
        }
        if (told.sent !== undefined) {
            upload.running.delete(told);
            if (answer.accepted) {
                this.#accepted(record, told, upload, stored, now);
            } else {
                this.#interrupt(upload, told, now);
            }
        }
        upload.upper(now, this.grace);
        this.emit('settled', upload, told);
    }

    #accepted(record, told, upload, stored, now) {
        const end = told.begin + told.sent;

        told.accepted = true;
        if (told.resumes) {
            upload.resumedAt = Math.min(upload.resumedAt, now);
        }
        if (stored && stored[0][1] !== end) {
            this.fault(record, `the server has up to ${stored[0][1]}, the client has sent up to ${end}`);
        }
        // What comes before an offset was accepted earlier, or kept of a piece cut short.
        upload.accept([...(stored ?? []), [told.begin, end]], now);
    }

    #interrupt(upload, told, now) {
        upload.failed.push({ piece: told, at: now });
        upload.interruptedAt = Math.min(upload.interruptedAt, now);
        // nginx may have seen it break off a moment earlier.
        for (const piece of upload.pieces) {
            if (piece !== told && piece.at > now - this.grace) {
                upload.resumable.push(piece.begin - upload.base);
            }
        }
    }

    aborted(record) {
        const told = this.told.get(record);
        const now = performance.now();

        if (told?.upload && told.sent !== undefined) {
            told.upload.running.delete(told);
            this.#interrupt(told.upload, told, now);
            told.upload.upper(now, this.grace);
            this.emit('settled', told.upload, told);
        }
    }

    // What the server does not have, at the end of a run.
    missing(upload) {
        return upload.accepted.copy().addAll(upload.stored).missing(this.file.length);
    }
}
