// Sends files as Dropzone does, in pieces that are forms, as fast as they go, and looks
// whether the daemon comes to know of all: done, with all bytes. Exits 1 where it does
// not. Tells how many files had pieces that it knows by their length alone; the first
// one is held up until it has been read.
//   forms.mjs URL FILES PIECES BYTES AT_ONCE
// BYTES are of each piece but the last one, which has half of them.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [url, ...numbers] = process.argv.slice(2);
const [files, pieces, pieceBytes, atOnce] = numbers.map(Number);
const BOUNDARY = '----WebKitFormBoundaryqhuHkBYZ3DFBAWYa';
const KNOWN_MS = 5000;
const HELD_BYTES = 100;
const size = (pieces - 1) * pieceBytes + Math.ceil(pieceBytes / 2);
const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce });
const data = Buffer.alloc(pieceBytes, 'x');

function formOf(uuid, index) {
    const offset = index * pieceBytes;
    const fields = { dzuuid: uuid, dzchunkindex: index, dztotalfilesize: size, dzchunksize: pieceBytes,
        dztotalchunkcount: pieces, dzchunkbyteoffset: offset };
    const parts = Object.entries(fields).map(([name, value]) =>
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
    const file = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="some.bin"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n';

    return Buffer.concat([Buffer.from(parts.join('') + file), data.subarray(0, size - offset),
        Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
}

async function probe(id) {
    return (await fetch(`${url}/progress/detail?X-Progress-ID=${id}`)).json();
}

// What the daemon says once that is so, or when it has had its time.
async function wait(id, isSo) {
    const until = performance.now() + KNOWN_MS;

    for (;;) {
        const told = await probe(id);

        if (isSo(told) || performance.now() > until) {
            return told;
        }
        await sleep(20);
    }
}

// held: a promise that the end of the body waits for.
function post(id, body, held) {
    return new Promise((resolve, reject) => {
        const request = http.request(`${url}/upload`, { method: 'POST', agent, headers: { 'X-Progress-ID': id,
            'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`, 'Content-Length': body.length } },
        (response) => response.on('end', () => resolve(response.statusCode)).resume());

        request.on('error', reject);
        if (held) {
            request.write(body.subarray(0, -HELD_BYTES));
            held.then(() => request.end(body.subarray(-HELD_BYTES)), reject);
        } else {
            request.end(body);
        }
    });
}

async function send(id) {
    const uuid = randomUUID();
    let next = 0;
    const worker = async () => {
        while (next < pieces) {
            const held = next === 0 ? wait(id, (told) => told.size === size) : undefined;
            const status = await post(id, formOf(uuid, next++), held);

            if (status !== 200) {
                throw new Error(`${id}: ${status}`);
            }
        }
    };

    await Promise.all(Array.from({ length: atOnce }, worker));
}

let byLength = 0;
let sendingMs = 0;

for (let i = 0; i < files; i++) {
    const id = `forms-${randomUUID()}`;
    const began = performance.now();

    await send(id);
    sendingMs += performance.now() - began;
    const told = await wait(id, ({ state, received }) => state === 'done' && received === size);

    byLength += told.approximate ? 1 : 0;
    if (told.state !== 'done' || told.received !== size || told.size !== size || told.pieces?.received !== pieces) {
        console.log(`${id}: ${JSON.stringify(told)}`);
        process.exitCode = 1;
    }
}
agent.destroy();
console.log(`${files} files of ${pieces} forms of ${pieceBytes} bytes, ${atOnce} at once: ${
    (sendingMs / files / pieces).toFixed(1)} ms a form, ${byLength} files with forms known by their length`);
