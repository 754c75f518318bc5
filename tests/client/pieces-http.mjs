// Reads HTTP/1.1 messages and multipart bodies as they pass by, whatever the
// pieces of bytes that they come in; nothing waits for a whole message.

const HEAD_MAX = 64 << 10;

// "name: value" lines as an object with lower-case names; a repeated one is joined.
export function headersOf(lines) {
    const headers = {};

    for (const line of lines) {
        const colon = line.indexOf(':');
        const name = line.slice(0, colon).trim().toLowerCase();
        const value = line.slice(colon + 1).trim();

        headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    }
    return headers;
}

// Calls head(start, headers), which answers "none", "close" or nothing: how long
// the body is where the headers do not decide; body(bytes) and end().
export class MessageReader {
    constructor({ head, body, end }) {
        this.on = { head, body, end };
        this.state = 'head';
        this.held = Buffer.alloc(0);
        this.left = 0;
    }

    // Whether the next byte is the first of a message.
    get between() {
        return this.state === 'head' && this.held.length === 0;
    }

    feed(bytes) {
        let rest = bytes;

        while (rest.length > 0) {
            rest = this[this.state](rest);
        }
    }

    // The connection has ended: a body without a length is complete now.
    close() {
        if (this.state === 'untilClose') {
            this.#done();
        }
    }

    // A line ended by mark, once it is here, and what follows; held bytes are part.
    #upTo(mark, bytes) {
        const all = this.held.length > 0 ? Buffer.concat([this.held, bytes]) : bytes;
        const at = all.indexOf(mark);

        if (at < 0) {
            if (all.length > HEAD_MAX) {
                throw new Error('a header or chunk line is too long');
            }
            this.held = Buffer.from(all);
            return [null, Buffer.alloc(0)];
        }
        this.held = Buffer.alloc(0);
        return [all.toString('latin1', 0, at), all.subarray(at + mark.length)];
    }

    #done() {
        this.state = 'head';
        this.on.end();
    }

    head(bytes) {
        const [text, rest] = this.#upTo('\r\n\r\n', bytes);

        if (text === null) {
            return rest;
        }
        const [start, ...lines] = text.split('\r\n');
        const headers = headersOf(lines);
        const length = this.on.head(start, headers);

        if (length === 'none') {
            this.#done();
        } else if (/chunked/i.test(headers['transfer-encoding'] ?? '')) {
            this.state = 'chunkSize';
        } else if ('content-length' in headers) {
            this.left = Number(headers['content-length']);
            this.state = 'counted';
            if (this.left === 0) {
                this.#done();
            }
        } else if (length === 'close') {
            this.state = 'untilClose';
        } else {
            this.#done();
        }
        return rest;
    }

    #take(bytes) {
        const part = bytes.subarray(0, this.left);

        this.left -= part.length;
        this.on.body(part);
        return bytes.subarray(part.length);
    }

    counted(bytes) {
        const rest = this.#take(bytes);

        if (this.left === 0) {
            this.#done();
        }
        return rest;
    }

    untilClose(bytes) {
        this.on.body(bytes);
        return bytes.subarray(bytes.length);
    }

    chunkSize(bytes) {
        const [line, rest] = this.#upTo('\r\n', bytes);

        if (line !== null) {
            this.left = parseInt(line, 16);
            this.state = this.left === 0 ? 'trailer' : 'chunkData';
        }
        return rest;
    }

    chunkData(bytes) {
        const rest = this.#take(bytes);

        if (this.left === 0) {
            this.state = 'chunkEnd';
        }
        return rest;
    }

    chunkEnd(bytes) {
        const [line, rest] = this.#upTo('\r\n', bytes);

        if (line !== null) {
            this.state = 'chunkSize';
        }
        return rest;
    }

    trailer(bytes) {
        const [line, rest] = this.#upTo('\r\n', bytes);

        if (line === '') {
            this.#done();
        }
        return rest;
    }
}

// A multipart/form-data body: field(name, value) for each field that is complete,
// file(name, filename, type) where a file begins, data(bytes) for its bytes.
export class MultipartReader {
    constructor(contentType, { field, file, data }) {
        const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);

        this.on = { field, file, data };
        this.mark = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`, 'latin1');
        // The first boundary has no line before it.
        this.held = Buffer.from('\r\n');
        this.part = null;
        this.state = 'data';
    }

    // Bytes of the file that are not told yet, as they may be of a boundary.
    get pending() {
        return this.part?.file && this.state === 'data' ? this.held.length : 0;
    }

    feed(bytes) {
        this.held = Buffer.concat([this.held, bytes]);
        while (this[this.state]()) {
            // each state goes on as far as it can
        }
    }

    #give(bytes) {
        if (this.part?.file) {
            if (bytes.length > 0) {
                this.on.data(bytes);
            }
        } else if (this.part) {
            this.part.value.push(Buffer.from(bytes));
        }
    }

    data() {
        const at = this.held.indexOf(this.mark);

        if (at >= 0) {
            this.#give(this.held.subarray(0, at));
            this.held = this.held.subarray(at + this.mark.length);
            if (this.part && !this.part.file) {
                this.on.field(this.part.name, Buffer.concat(this.part.value).toString());
            }
            this.part = null;
            this.state = 'head';
            return true;
        }
        // What may yet become a boundary is kept.
        let keep = Math.min(this.mark.length - 1, this.held.length);

        while (keep > 0 && !this.held.subarray(-keep).equals(this.mark.subarray(0, keep))) {
            keep--;
        }
        this.#give(this.held.subarray(0, this.held.length - keep));
        this.held = Buffer.from(this.held.subarray(this.held.length - keep));
        return false;
    }

    head() {
        if (this.held.length >= 2 && this.held[0] === 0x2d && this.held[1] === 0x2d) {
            this.state = 'over';
            return false;
        }
        const at = this.held.indexOf('\r\n\r\n');

        if (at < 0) {
            return false;
        }
        const headers = headersOf(this.held.toString('utf8', 2, at).split('\r\n'));
        const says = headers['content-disposition'] ?? '';
        const name = /\bname="([^"]*)"/.exec(says)?.[1];
        const filename = /\bfilename="([^"]*)"/.exec(says)?.[1];

        this.held = this.held.subarray(at + 4);
        this.part = { name, file: filename !== undefined, value: [] };
        this.state = 'data';
        if (this.part.file) {
            this.on.file(name, filename, headers['content-type']);
        }
        return true;
    }

    over() {
        this.held = Buffer.alloc(0);
        return false;
    }
}
