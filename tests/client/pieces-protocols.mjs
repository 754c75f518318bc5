// What a request says of a file, for each way to send one in pieces. A protocol is
//
//   request(record)  at the header: { kind, key, begin, total, ... }
//   fields(told, fields)  where a multipart body says more, once its file begins
//   response(record, told)  what the answer adds: { key, total, stored, accepted }
//
// kind    "create" (a file is announced, perhaps with its first bytes), "piece",
//         "test" (is this piece there?), "offset" (how far are you?), "join" (parts
//         become a file), "delete", "finish", "other"
// key     what the protocol knows the file by; of a creation only after its answer
// begin   offset of the first byte in the file; undefined: not told by the request
// total   bytes of the file, null: not told
// stored  ranges that the server says it has; without it an accepted piece is all
//         that was sent of it
//
// Written from the protocols' own texts and from what their clients send.

const number = (text) => (/^\d+$/.test(text ?? '') ? Number(text) : null);
const OTHER = { kind: 'other' };

// "bytes 0-99/1000", "bytes 0-99/*", "bytes */1000".
function contentRange(text) {
    const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(text ?? '');

    return match && { begin: number(match[1]), end: match[2] === undefined ? null : Number(match[2]) + 1,
        total: number(match[3]) };
}

function located(record) {
    const location = record.response?.location;

    return location && new URL(location, new URL(record.url, 'http://relay')).pathname;
}

function isFine(record) {
    return record.status >= 200 && record.status < 300;
}

// Bytes up to an offset that the answer names.
function upToOffset(record) {
    const offset = number(record.response?.['upload-offset']);

    return offset === null ? undefined : [[0, offset]];
}

const tus = {
    request(record) {
        const method = record.headers['x-http-method-override'] ?? record.method;
        const total = number(record.headers['upload-length']);
        const concat = record.headers['upload-concat'] ?? '';

        if (record.headers['tus-resumable'] !== '1.0.0') {
            return OTHER;
        }
        if (method === 'POST' && concat.startsWith('final')) {
            return { kind: 'join', parts: concat.slice(6).trim().split(/\s+/)
                .map((url) => new URL(url, 'http://relay').pathname) };
        }
        if (method === 'POST') {
            return { kind: 'create', begin: 0, total, partial: concat === 'partial' };
        }
        if (method === 'PATCH') {
            return { kind: 'piece', key: record.path, begin: number(record.headers['upload-offset']), total };
        }
        return { HEAD: { kind: 'offset', key: record.path },
            DELETE: { kind: 'delete', key: record.path } }[method] ?? OTHER;
    },
    response(record, told) {
        return { key: located(record), total: number(record.response?.['upload-length']),
            stored: ['create', 'piece', 'offset'].includes(told.kind) && isFine(record)
                ? upToOffset(record) : undefined,
            accepted: isFine(record) };
    },
};

// All drafts: "Upload-Complete: ?1" (to 3: "Upload-Incomplete: ?0") is the last piece.
const draft = {
    request(record) {
        const complete = record.headers['upload-complete'] ??
            { '?0': '?1', '?1': '?0' }[record.headers['upload-incomplete']];
        const begin = number(record.headers['upload-offset']) ?? 0;
        const length = number(record.headers['content-length']);
        const total = number(record.headers['upload-length']) ??
            (complete === '?1' && length !== null ? begin + length : null);

        if (record.method === 'PATCH') {
            return { kind: 'piece', key: record.path, begin, total };
        }
        if (complete !== undefined) {
            return { kind: 'create', begin: 0, total };
        }
        return { HEAD: { kind: 'offset', key: record.path },
            DELETE: { kind: 'delete', key: record.path } }[record.method] ?? OTHER;
    },
    response: tus.response,
};

const range = {
    request(record) {
        const told = contentRange(record.headers['content-range']);
        const disposition = /filename="([^"]*)"/.exec(record.headers['content-disposition'] ?? '');

        if (!told || !['PUT', 'POST', 'PATCH'].includes(record.method)) {
            return OTHER;
        }
        return { kind: 'piece', key: record.query.file ?? disposition?.[1] ?? record.path,
            begin: told.begin, total: told.total };
    },
    response: (record) => ({ accepted: isFine(record) }),
};

const session = {
    request(record) {
        const told = contentRange(record.headers['x-content-range'] ?? record.headers['content-range']);
        const key = record.headers['x-session-id'] ?? record.headers['session-id'];

        return told && key ? { kind: 'piece', key, begin: told.begin, total: told.total } : OTHER;
    },
    response: (record) => ({ accepted: isFine(record) }),
};

const filepond = {
    request(record) {
        const total = number(record.headers['upload-length']);
        const key = record.query.patch ?? record.path.split('/').at(-1);

        if (record.method === 'POST' && total !== null) {
            return { kind: 'create', total };
        }
        if (record.method === 'PATCH') {
            return { kind: 'piece', key, begin: number(record.headers['upload-offset']), total };
        }
        return record.method === 'HEAD' ? { kind: 'offset', key } : OTHER;
    },
    response(record, told) {
        return { key: told.kind === 'create' ? record.body : undefined, accepted: isFine(record),
            stored: told.kind === 'offset' && isFine(record) ? upToOffset(record) : undefined };
    },
};

// resumable.js and flow.js: the same words with another beginning, in the query,
// the form or both.
function chunkNumbers(prefix) {
    const read = (told, fields) => ({
        ...told,
        key: fields[`${prefix}Identifier`],
        begin: (fields[`${prefix}ChunkNumber`] - 1) * fields[`${prefix}ChunkSize`],
        length: number(fields[`${prefix}CurrentChunkSize`]),
        total: number(fields[`${prefix}TotalSize`]),
    });

    return {
        request(record) {
            const kind = { GET: 'test', POST: 'piece', PUT: 'piece' }[record.method];

            if (!kind || (kind === 'test' && !(`${prefix}Identifier` in record.query))) {
                return OTHER;
            }
            return `${prefix}Identifier` in record.query ? read({ kind }, record.query) : { kind };
        },
        fields: read,
        // 204 says that the piece is not there.
        response: (record, told) => (told.kind === 'test'
            ? { accepted: false, ...(record.status === 200 && { stored: [[told.begin, told.begin + told.length]] }) }
            : { accepted: isFine(record) }),
    };
}

// Of the last piece alone the number does not tell where it begins: chunkSize is the
// client's own setting. The total shows when the last piece's length does.
const plupload = {
    request(record) {
        return record.method !== 'POST' ? OTHER : { kind: 'piece',
            ...((record.query.chunks ?? record.query.total) && plupload.fields({}, record.query)) };
    },
    fields(told, fields) {
        return fields.offset !== undefined
            ? { ...told, key: fields.name, begin: number(fields.offset), total: number(fields.total) }
            : { ...told, key: fields.name, beginInPieces: number(fields.chunk), total: null,
                last: Number(fields.chunk) === Number(fields.chunks) - 1 };
    },
    response: (record) => ({ accepted: isFine(record) }),
};

const dropzone = {
    request: (record) => (record.method === 'POST' ? { kind: 'piece' } : OTHER),
    fields: (told, fields) => ({ ...told, key: fields.dzuuid, begin: number(fields.dzchunkbyteoffset),
        total: number(fields.dztotalfilesize) }),
    response: (record) => ({ accepted: isFine(record) }),
};

const fineuploader = {
    request: (record) => (record.method !== 'POST' ? OTHER
        : { kind: /multipart/.test(record.headers['content-type'] ?? '') ? 'piece' : 'finish',
            ...(record.query.qqpartindex && fineuploader.fields({}, record.query)) }),
    fields: (told, fields) => ('qqpartbyteoffset' in fields ? { ...told, key: fields.qquuid,
        begin: number(fields.qqpartbyteoffset), total: number(fields.qqtotalfilesize) } : told),
    response: (record) => ({ accepted: isFine(record) }),
};

export const PROTOCOLS = { tus, draft, range, session, filepond, plupload, dropzone, fineuploader,
    resumable: chunkNumbers('resumable'), flow: chunkNumbers('flow') };
