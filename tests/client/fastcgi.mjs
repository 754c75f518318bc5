// FastCGI by hand, so that a test can send what no web server would: records,
// requests built of them, and a client that asks one after the other.
import { Peer } from './peer.mjs';

export const BEGIN = 1;
export const ABORT = 2;
export const END = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;

const RESPONDER = 1;
const KEEP_CONN = 1;
const CONTENT_MAX = 65535;

export function record(type, content = '', { id = 1, padding = 0, version = 1 } = {}) {
    const body = Buffer.from(content);
    const header = Buffer.from([version, type, id >> 8, id & 255,
        body.length >> 8, body.length & 255, padding, 0]);

    return Buffer.concat([header, body, Buffer.alloc(padding, 'p')]);
}

export function begin({ id = 1, role = RESPONDER, keep = true } = {}) {
    return record(BEGIN, [role >> 8, role & 255, keep ? KEEP_CONN : 0, 0, 0, 0, 0, 0], { id });
}

// One or four bytes; long: four in any case.
function length(bytes, long) {
    const four = Buffer.alloc(4);

    if (bytes < 128 && !long) {
        return Buffer.from([bytes]);
    }
    four.writeUInt32BE((bytes | 0x80000000) >>> 0);
    return four;
}

export function pair(name, value, { long = false } = {}) {
    const parts = [Buffer.from(name), Buffer.from(value)];

    return Buffer.concat([...parts.map((part) => length(part.length, long)), ...parts]);
}

export function pairs(params, options) {
    return Buffer.concat(Object.entries(params)
        .map(([name, value]) => pair(name, value, options)));
}

// A stream in records of at most `piece` bytes each, and the empty one.
function stream(type, content, { piece = CONTENT_MAX, endPadding, ...options }) {
    const records = [];

    for (let at = 0; at < content.length; at += piece) {
        records.push(record(type, content.subarray(at, at + piece), options));
    }
    return Buffer.concat([...records, record(type, '', { ...options, padding: endPadding })]);
}

// A request without a body, or, with body: null, all that comes before one.
// Options: id, role, keep, piece (bytes in a record), long (lengths), padding
// (of records with content), endPadding (of the empty ones).
export function request(params, { body = '', ...options } = {}) {
    return Buffer.concat([
        begin(options),
        stream(PARAMS, pairs(params, options), options),
        body === null ? Buffer.alloc(0) : stream(STDIN, Buffer.from(body), options),
    ]);
}

// What a probe of the detailed output passes, as server.conf does.
export function probeParams(id, further = {}) {
    return {
        REQUEST_METHOD: 'GET', DOCUMENT_URI: '/progress/detail',
        QUERY_STRING: `X-Progress-ID=${encodeURIComponent(id)}`, ...further,
    };
}

// What a mirrored request passes, see event-params.conf.
export function eventParams(event, id, requestId, further = {}) {
    return {
        UPLOAD_PROGRESS_EVENT: event, UPLOAD_PROGRESS_ZONE: 'uploads',
        UPLOAD_PROGRESS_ID: id, UPLOAD_PROGRESS_REQUEST_ID: requestId,
        UPLOAD_PROGRESS_PROTOCOL: 'HTTP/1.1', ...further,
    };
}

function parseResponse(text) {
    const [head, ...body] = text.split('\r\n\r\n');
    const headers = Object.fromEntries(head.split('\r\n').map((line) => line.split(': ', 2)));

    return { status: parseInt(headers.Status, 10), headers, body: body.join('\r\n\r\n') };
}

// The first response in the bytes, and how many it takes; null: not all there.
function takeResponse(bytes) {
    const out = [];
    let at = 0;

    while (bytes.length - at >= 8) {
        const size = bytes.readUInt16BE(at + 4);
        const next = at + 8 + size + bytes[at + 6];
        const content = bytes.subarray(at + 8, at + 8 + size);

        if (next > bytes.length) {
            return null;
        }
        if (bytes[at + 1] === STDOUT) {
            out.push(content);
        } else if (bytes[at + 1] === END) {
            return {
                ...parseResponse(Buffer.concat(out).toString()), bytes: next,
                id: bytes.readUInt16BE(at + 2), appStatus: content.readUInt32BE(0),
                protocolStatus: content[4],
            };
        }
        at = next;
    }
    return null;
}

// A connection on which one request follows the other.
export class FastcgiClient extends Peer {
    // The answer to what was written; an error if the connection ends first.
    async answer(limitMs) {
        let response = null;

        await this.until(() => (response = takeResponse(this.received)) !== null || this.isClosed,
            limitMs);
        if (response === null) {
            throw new Error('the connection was closed without an answer');
        }
        this.received = this.received.subarray(response.bytes);
        return response;
    }

    ask(bytes, limitMs) {
        this.write(bytes);
        return this.answer(limitMs);
    }

    // The detailed output for an ID, parsed.
    async probe(id, limitMs) {
        const { status, body } = await this.ask(request(probeParams(id)), limitMs);

        if (status !== 200) {
            throw new Error(`probe of ${id}: status ${status}`);
        }
        return JSON.parse(body);
    }
}
