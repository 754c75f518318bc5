// A client that sends one file in pieces, as a process of its own. Argument: JSON of
//   client    tus, range, session or draft
//   endpoint  where to; file; chunk: bytes of a piece; parallel: how many at a time
//   id        progress ID, sent as a header, or as a query argument with idIn "query"
//   state     a file in which it keeps what it needs to go on in another process
// and of each client's own, see below. Exits 0 once the server has said that it has all.
import fs from 'node:fs';
import http from 'node:http';
import { PassThrough } from 'node:stream';

import * as tus from 'tus-js-client';

const config = JSON.parse(process.argv[2]);
const bytes = fs.readFileSync(config.file);
const RETRIES = 4;
const RETRY_MS = 100;

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

function endpoint(query = '') {
    const id = config.id && config.idIn === 'query' ? `X-Progress-ID=${encodeURIComponent(config.id)}` : '';
    const all = [id, query].filter(Boolean).join('&');

    return config.endpoint + (all && `?${all}`);
}

const idHeader = config.id && config.idIn !== 'query' ? { 'X-Progress-ID': config.id } : {};

const agent = new http.Agent({ keepAlive: true, maxSockets: config.parallel ?? 1 });

// An answer, or null where the connection broke.
function send(method, url, headers, body) {
    return new Promise((done) => {
        const request = http.request(url, { method, agent, headers: { ...idHeader,
            ...(body && { 'Content-Length': body.length }), ...headers } }, (response) => {
            let text = '';

            response.on('data', (part) => { text += part; });
            response.on('end', () => done({ status: response.statusCode, headers: response.headers, text }));
            response.on('error', () => done(null));
        });

        request.on('error', () => done(null));
        request.end(body);
    });
}

function load(otherwise) {
    return config.state && fs.existsSync(config.state) ? JSON.parse(fs.readFileSync(config.state)) : otherwise;
}

function save(state) {
    if (config.state) {
        fs.writeFileSync(`${config.state}.new`, JSON.stringify(state));
        fs.renameSync(`${config.state}.new`, config.state);
    }
}

// Each piece until it is accepted, several at a time; order: "shuffled".
async function sendPieces(sendOne) {
    const done = load([]);
    const pieces = [];

    for (let begin = 0; begin < bytes.length; begin += config.chunk) {
        if (!done.includes(begin)) {
            pieces.push(begin);
        }
    }
    if (config.order === 'shuffled') {
        // Always the same: the last, the first, the last but one, ...
        pieces.sort((a, b) => Math.abs(b - bytes.length / 2 - 1) - Math.abs(a - bytes.length / 2 - 1));
    }
    async function lane() {
        for (let begin = pieces.shift(); begin !== undefined; begin = pieces.shift()) {
            await sendUntilTaken(() => sendOne(begin, bytes.subarray(begin, begin + config.chunk)));
            done.push(begin);
            save(done);
        }
    }
    await Promise.all(Array.from({ length: config.parallel ?? 1 }, lane));
}

async function sendUntilTaken(sendOnce) {
    for (let attempt = 0; ; attempt++) {
        const answer = await sendOnce();

        if (answer && answer.status >= 200 && answer.status < 300) {
            return answer;
        }
        if (attempt === RETRIES) {
            throw new Error(`given up: ${JSON.stringify(answer)}`);
        }
        await sleep(RETRY_MS);
    }
}

// total "*": the size is told with the last piece only.
function contentRange(begin, piece) {
    const end = begin + piece.length;
    const total = config.total === '*' && end < bytes.length ? '*' : bytes.length;

    return `bytes ${begin}-${end - 1}/${total}`;
}

const CLIENTS = {
    range: () => sendPieces((begin, piece) => send(config.method ?? 'PUT', endpoint(`file=${config.name}`),
        { 'Content-Type': 'application/octet-stream', 'Content-Range': contentRange(begin, piece) }, piece)),

    // names: "plain" for Session-ID and Content-Range, as nginx-big-upload has them.
    session: () => sendPieces((begin, piece) => {
        const x = config.names === 'plain' ? '' : 'X-';

        return send('POST', endpoint(), { 'Content-Type': 'application/octet-stream',
            'Content-Disposition': `attachment; filename="${config.name}"`,
            [`${x}Session-ID`]: config.session, [`${x}Content-Range`]: contentRange(begin, piece) }, piece);
    }),

    // interop: version of the draft. lengthFirst: Upload-Length with the creation.
    async draft() {
        const old = config.interop < 4;
        const state = load({ url: null });
        const says = (complete) => ({ 'Upload-Draft-Interop-Version': String(config.interop),
            [old ? 'Upload-Incomplete' : 'Upload-Complete']: complete === old ? '?0' : '?1' });
        let offset = 0;

        if (!state.url) {
            const first = bytes.subarray(0, config.emptyCreation ? 0 : config.chunk);
            const answer = await sendUntilTaken(() => send('POST', endpoint(), { ...says(first.length === bytes.length),
                'Content-Type': 'application/octet-stream',
                ...(config.lengthFirst && { 'Upload-Length': bytes.length }) }, first));

            state.url = new URL(answer.headers.location, config.endpoint).href;
            save(state);
            offset = Number(answer.headers['upload-offset']);
        } else {
            offset = await draftOffset(state.url, says);
        }
        while (offset < bytes.length) {
            const piece = bytes.subarray(offset, offset + config.chunk);
            const answer = await send('PATCH', state.url, { ...says(offset + piece.length === bytes.length),
                'Upload-Offset': offset, 'Content-Type': 'application/partial-upload' }, piece);

            if (answer?.status === 204) {
                offset += piece.length;
            } else {
                await sleep(RETRY_MS);
                offset = await draftOffset(state.url, says);
            }
        }
    },

    // deferred, creationWithData, override, relative: as tus-js-client's options are.
    tus: () => new Promise((done, failed) => {
        const file = fs.createReadStream(config.file);
        // Of a file it knows the length, whether it tells it or not, and waits for a
        // whole last piece in vain where it has been asked not to.
        const source = config.deferred ? file.pipe(new PassThrough()) : file;
        const upload = new tus.Upload(source, {
            endpoint: endpoint(),
            chunkSize: config.chunk,
            retryDelays: [100, 200, 400],
            headers: idHeader,
            metadata: { filename: config.name },
            overridePatchMethod: Boolean(config.override),
            uploadDataDuringCreation: Boolean(config.creationWithData),
            ...(config.deferred && { uploadLengthDeferred: true }),
            ...(config.parallel > 1 && { parallelUploads: config.parallel }),
            ...(config.state && { urlStorage: new tus.FileUrlStorage(config.state) }),
            onError: failed,
            onSuccess: done,
        });

        if (!config.state) {
            upload.start();
            return;
        }
        upload.findPreviousUploads().then((previous) => {
            if (previous.length > 0) {
                upload.resumeFromPreviousUpload(previous[0]);
            }
            upload.start();
        }, failed);
    }),

    // Creates an upload, sends one piece and ends it.
    async tusTerminated() {
        await new Promise((done, failed) => {
            const upload = new tus.Upload(fs.createReadStream(config.file), {
                endpoint: endpoint(), chunkSize: config.chunk, headers: idHeader,
                onError: failed,
                onChunkComplete: () => upload.abort(true).then(done, failed),
            });
            upload.start();
        });
    },
};

async function draftOffset(url, says) {
    const { 'Upload-Draft-Interop-Version': version } = says(false);
    const answer = await sendUntilTaken(() => send('HEAD', url, { 'Upload-Draft-Interop-Version': version }));

    return Number(answer.headers['upload-offset']);
}

try {
    await CLIENTS[config.client]();
} catch (error) {
    console.error(error.message);
    process.exitCode = 1;
}
agent.destroy();
